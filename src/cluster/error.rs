//! Why a cluster could not be asked.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::{Cause, Resource};

/// What stops the listing of a cluster. Messages read after "failed to".
#[derive(Debug, Error)]
pub enum ClusterError {
    /// Nothing says which cluster.
    #[error("find a cluster to ask: there is no kubeconfig, and this is no pod with a service account")]
    NoKubeconfig {
        /// Where one was looked for.
        #[source]
        source: Cause,
    },
    /// A kubeconfig cannot be used.
    #[error("use the kubeconfig{}", path.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default())]
    Kubeconfig {
        /// As it was named; `None` for the default one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The way to the cluster leads over a proxy.
    #[error("connect to the cluster at {server} over a proxy")]
    Proxy {
        /// The API server.
        server: String,
        /// Which.
        #[source]
        source: Cause,
    },
    /// Certificates or addresses of the kubeconfig cannot be used.
    #[error("prepare the connection to the cluster at {server}")]
    Connection {
        /// The API server.
        server: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// There are no credentials to be had.
    #[error("get credentials for the cluster at {server}")]
    Credentials {
        /// The API server.
        server: String,
        /// What the kubeconfig's program or token file gave.
        #[source]
        source: Cause,
    },
    /// No one answers, or the connection broke.
    #[error("reach the cluster at {server}")]
    Unreachable {
        /// The API server.
        server: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// Someone answers too slowly, or not to the end.
    #[error("list {} of the cluster at {server}: no whole answer within {} s", resource.name(), patience.as_secs_f32())]
    TimedOut {
        /// The API server.
        server: String,
        /// What was asked for.
        resource: &'static Resource,
        /// How long was waited.
        patience: Duration,
    },
    /// 401: the cluster does not know who asks.
    #[error("log in to the cluster at {server}: {message}")]
    Unauthorized {
        /// The API server.
        server: String,
        /// What it says.
        message: String,
    },
    /// 403: whoever asks may not list this.
    #[error("list {}: {message}", resource.name())]
    Forbidden {
        /// What was asked for.
        resource: &'static Resource,
        /// What the API says.
        message: String,
    },
    /// 404: the cluster has no such kind.
    #[error("list {}: the server at {server} has no such kind", resource.name())]
    NotServed {
        /// The API server.
        server: String,
        /// What was asked for.
        resource: &'static Resource,
    },
    /// 410, and again when listed anew: objects change faster than they are listed.
    #[error("list {}: {message}", resource.name())]
    Expired {
        /// What was asked for.
        resource: &'static Resource,
        /// What the API says.
        message: String,
    },
    /// Any other answer that is no list.
    #[error("list {}: the API answers {status}: {message}", resource.name())]
    Refused {
        /// What was asked for.
        resource: &'static Resource,
        /// The HTTP status.
        status: u16,
        /// What the API says.
        message: String,
    },
    /// The answer is not JSON, or not of the API's shape.
    #[error("read the list of {}", resource.name())]
    Malformed {
        /// What was asked for.
        resource: &'static Resource,
        /// What is wrong, and where.
        #[source]
        source: Cause,
    },
    /// The answer is JSON, but no list of this kind that comes to an end.
    #[error("read the list of {}: the answer is another one", resource.name())]
    NotAList {
        /// What was asked for.
        resource: &'static Resource,
    },
    /// An empty cluster makes an empty inventory.
    #[error("find a pod in the cluster at {server}")]
    NoPods {
        /// The API server.
        server: String,
    },
    /// What a watch sends is not of the API's shape.
    #[error("follow the changes of {}: {message}", resource.name())]
    Garbled {
        /// What was watched.
        resource: &'static Resource,
        /// What is wrong.
        message: String,
    },
    /// The system gives no means to wait for answers.
    #[error("start the event loop")]
    Runtime(#[source] io::Error),
}

/// What always helps.
macro_rules! otherwise {
    () => {
        "or take the inventory where kubectl works, with the command that `netpol-gen inventory --print-command` prints"
    };
}

impl ClusterError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Self::NoKubeconfig { .. } => concat!("name one with --kubeconfig or KUBECONFIG, ", otherwise!()),
            Self::Kubeconfig { .. } => "`kubectl config view` shows what it holds; --context names one of its contexts",
            Self::Proxy { .. } => {
                concat!("proxies are not supported: unset HTTPS_PROXY and the kubeconfig's proxy-url, ", otherwise!())
            }
            Self::Connection { .. } => "check certificates and address of the cluster in the kubeconfig: `kubectl config view`",
            Self::Credentials { .. } => "does `kubectl get pods` work? Log in anew as your cluster's provider wants it",
            Self::Unreachable { .. } | Self::TimedOut { .. } => {
                concat!("does `kubectl get nodes` work from here? Check address, VPN and context (--context), ", otherwise!())
            }
            Self::Unauthorized { .. } => {
                "the credentials of the kubeconfig have expired or are of another cluster: log in anew, or name another --context"
            }
            Self::Forbidden { resource, .. } => {
                return format!("allow it by a rule of a ClusterRole bound to whoever asks: {}", resource.rule()).into();
            }
            Self::NotServed { .. } | Self::Malformed { .. } | Self::NotAList { .. } | Self::Garbled { .. } => {
                "is this the address of a Kubernetes API server, and not of a proxy or dashboard? `kubectl cluster-info` tells it"
            }
            Self::Expired { .. } => "the cluster changes faster than it is listed; try again when it is quieter",
            Self::Refused { .. } => {
                concat!("`kubectl get --raw /readyz?verbose` tells how the API server is; try again, ", otherwise!())
            }
            Self::NoPods { .. } => "is it the right cluster? --context names another one",
            Self::Runtime(_) => "is the system short of memory or files (ulimit -n)?",
        };
        hint.into()
    }
}
