//! Which cluster, by what credentials.

use std::path::PathBuf;
use std::time::Duration;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::ClusterError;
use super::list::Connection;

/// Which cluster to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// A kubeconfig. Without it: `$KUBECONFIG`, `~/.kube/config`, and if neither is there, the service account of the pod this runs
    /// in.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig, instead of its current one.
    pub context: Option<String>,
    /// How long one answer may take.
    pub patience: Duration,
}

impl Default for Access {
    fn default() -> Self {
        // As long as API servers themselves let a list take (--request-timeout).
        Self { kubeconfig: None, context: None, patience: Duration::from_mins(1) }
    }
}

impl Access {
    /// Nothing is sent yet, but a program that the kubeconfig names for credentials may be run.
    pub(super) async fn connect(&self) -> Result<Connection, ClusterError> {
        let mut config = self.configuration().await?;
        // Own repetition, bounded in time: kube's goes on for minutes.
        config.default_retry = false;
        config.connect_timeout = Some(self.patience.min(Duration::from_secs(10)));
        let server = server(&config);
        let client = Client::try_from(config).map_err(|source| match source {
            kube::Error::Auth(_) => ClusterError::Credentials { server: server.clone(), source: Box::new(source) },
            kube::Error::ProxyProtocolDisabled { .. } | kube::Error::ProxyProtocolUnsupported { .. } => {
                ClusterError::Proxy { server: server.clone(), source: Box::new(source) }
            }
            _ => ClusterError::Connection { server: server.clone(), source: Box::new(source) },
        })?;
        Ok(Connection::new(client, server, self.patience))
    }

    async fn configuration(&self) -> Result<Config, ClusterError> {
        let broken = |source| ClusterError::Kubeconfig { path: self.kubeconfig.clone(), source: Box::new(source) };
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let result = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        match result {
            Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(broken),
            // Only if there is none: a broken one must not lead to another cluster than it names.
            Err(source) if self.kubeconfig.is_none() && is_absent(&source) => {
                if self.context.is_some() {
                    return Err(ClusterError::NoKubeconfig { source: Box::new(source) });
                }
                Config::incluster().map_err(|_| ClusterError::NoKubeconfig { source: Box::new(source) })
            }
            Err(source) => Err(broken(source)),
        }
    }
}

fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(source, _) => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Without a path, and without the credentials that a URL could hold.
fn server(config: &Config) -> String {
    let url = &config.cluster_url;
    let host = url.host().unwrap_or_default();
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}", url.scheme_str().unwrap_or("https"))
}
