//! The connection that all kinds are watched over, made anew when it does not do any more.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::super::list::Connection;
use super::super::{Access, ClusterError};

/// A connection that outlives its credentials.
pub(super) struct Link {
    access: Access,
    current: RefCell<Rc<Connection>>,
    is_renewing: Cell<bool>,
    renewed: Cell<Instant>,
    /// How much time there is at least between two renewals: each may run a program that the kubeconfig names.
    pause: Duration,
}

impl Link {
    pub(super) async fn new(access: &Access, pause: Duration) -> Result<Self, ClusterError> {
        let connection = Rc::new(access.connect().await?);
        let renewed = Cell::new(Instant::now());
        Ok(Self { access: access.clone(), current: RefCell::new(connection), is_renewing: Cell::new(false), renewed, pause })
    }

    pub(super) fn connection(&self) -> Rc<Connection> {
        Rc::clone(&self.current.borrow())
    }

    /// Reads credentials and certificates anew; who logged in again did that in the kubeconfig. If that fails, the old ones stay.
    pub(super) async fn renew(&self) {
        if self.is_renewing.get() || self.renewed.get().elapsed() < self.pause {
            return;
        }
        self.is_renewing.set(true);
        let server = self.connection().server().to_owned();
        if let Ok(connection) = self.access.connect().await
            // `kubectl config use-context` may have been called meanwhile; another cluster's objects are of no use.
            && connection.server() == server
        {
            *self.current.borrow_mut() = Rc::new(connection);
        }
        self.renewed.set(Instant::now());
        self.is_renewing.set(false);
    }
}
