//! Which cluster, by what credentials.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use kube::Client;
use kube::config::{Config, ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::list::Connection;
use super::{Cause, ClusterError};

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
        if !has_sendable_token(&config) {
            return Err(ClusterError::Credentials { server, source: Cause::unsendable_token() });
        }
        let client = Client::try_from(config).map_err(|source| match source {
            kube::Error::Auth(_) => ClusterError::Credentials { server: server.clone(), source: source.into() },
            kube::Error::ProxyProtocolDisabled { .. } | kube::Error::ProxyProtocolUnsupported { .. } => {
                ClusterError::Proxy { server: server.clone(), source: source.into() }
            }
            _ => ClusterError::Connection { server: server.clone(), source: source.into() },
        })?;
        Ok(Connection::new(client, server, self.patience))
    }

    async fn configuration(&self) -> Result<Config, ClusterError> {
        let broken = |source: KubeconfigError| ClusterError::Kubeconfig { path: self.kubeconfig.clone(), source: source.into() };
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let result = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        match result {
            Ok(mut kubeconfig) => {
                keep_to_itself(&mut kubeconfig);
                Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(broken)
            }
            // Only if there is none: a broken one must not lead to another cluster than it names.
            Err(source) if self.kubeconfig.is_none() && is_absent(&source) => {
                if self.context.is_some() {
                    return Err(ClusterError::NoKubeconfig { source: source.into() });
                }
                Config::incluster().map_err(|_| ClusterError::NoKubeconfig { source: source.into() })
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

/// Credential plugins may speak to a person at a terminal (a code to be typed into a browser), and to nothing else: what they print
/// could be a token, and would end up in logs. client-go too lets them ask only where there is a terminal.
fn keep_to_itself(kubeconfig: &mut Kubeconfig) {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        return;
    }
    let users = kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut());
    for plugin in users.filter_map(|user| user.exec.as_mut()) {
        plugin.interactive_mode = Some(ExecInteractiveMode::Never);
    }
}

/// Whether a token that the kubeconfig holds can be sent in a header (RFC 9110, section 5.5). The client would panic.
fn has_sendable_token(config: &Config) -> bool {
    let user = serde_json::to_value(&config.auth_info).unwrap_or_default();
    user["token"].as_str().is_none_or(|token| token.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)))
}

/// Without a path, and without the credentials that a URL could hold.
fn server(config: &Config) -> String {
    let url = &config.cluster_url;
    let host = url.host().unwrap_or_default();
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}", url.scheme_str().unwrap_or("https"))
}
