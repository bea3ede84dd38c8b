//! Why there is no connection to a cluster, in words without secrets.
//!
//! In: errors of the client, which quote what they could not use: commands with their environment, what credential plugins printed,
//! URLs with passwords, lines and bytes of a kubeconfig. Out: a [`Cause`], which says what kind of thing failed, where, and what the
//! operating system or the other side of the connection says of it; nothing of a kubeconfig's content. Paths that a kubeconfig holds
//! are left out, too: a key may have been pasted in the place of its file's name.

use std::error::Error;
use std::fmt;
use std::io;

use kube::client::AuthError;
use kube::config::{KubeconfigError, LoadDataError};

const UNSENDABLE: &str = "the token cannot be sent in a header: it holds line feeds or other control characters";

/// A cause in words, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for Cause {}

impl From<KubeconfigError> for Cause {
    fn from(error: KubeconfigError) -> Self {
        Self(of_kubeconfig(&error))
    }
}

impl From<kube::Error> for Cause {
    fn from(error: kube::Error) -> Self {
        Self(of_client(&error))
    }
}

impl Cause {
    /// An answer that is not what was asked for. Where its syntax is right, the parser's own words quote a value of it.
    pub(super) fn of_answer(error: &serde_json::Error) -> Self {
        let place = || format!("JSON of another shape at line {} column {}", error.line(), error.column());
        Self(if error.is_data() { place() } else { error.to_string() })
    }

    /// A token that no request can carry.
    pub(super) fn unsendable_token() -> Self {
        Self(UNSENDABLE.to_owned())
    }
}

fn of_kubeconfig(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::CurrentContextNotSet => "it has no current context".to_owned(),
        KubeconfigError::LoadContext(_) => "it has no such context".to_owned(),
        KubeconfigError::LoadClusterOfContext(_) => "it has no such cluster as the context names".to_owned(),
        KubeconfigError::KindMismatch | KubeconfigError::ApiVersionMismatch => {
            "the files of KUBECONFIG are of different kinds or versions".to_owned()
        }
        KubeconfigError::FindPath => "its path cannot be found".to_owned(),
        // The path was named on the command line, in KUBECONFIG or is the usual one.
        KubeconfigError::ReadConfig(error, path) => format!("{}: {}", path.display(), of_system(error)),
        KubeconfigError::Parse(error) => match error.location() {
            Some(location) => {
                format!("it is no kubeconfig: see line {}, column {}", location.line(), location.column())
            }
            None => "it is no kubeconfig".to_owned(),
        },
        KubeconfigError::MissingClusterUrl => "the cluster has no server".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => "the cluster's server is no URL".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "the cluster's proxy-url is no URL".to_owned(),
        KubeconfigError::LoadCertificateAuthority(error) => of_data("certificate-authority", error),
        KubeconfigError::LoadClientCertificate(error) => of_data("client-certificate", error),
        KubeconfigError::LoadClientKey(error) => of_data("client-key", error),
        KubeconfigError::ParseCertificates(_) => "a certificate is not in PEM format".to_owned(),
        #[expect(unreachable_patterns, reason = "other features of the client have further ones")]
        _ => "it cannot be used".to_owned(),
    }
}

fn of_client(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(error) => of_credentials(error),
        kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. } => {
            "the proxy's protocol is not supported".to_owned()
        }
        kube::Error::RustlsTls(_) => "the certificates or the key cannot be used".to_owned(),
        kube::Error::HyperError(error) => of_connection(error),
        kube::Error::Service(error) => of_connection(error.as_ref()),
        kube::Error::ReadEvents(error) => of_system(error),
        kube::Error::InferKubeconfig(error) => of_kubeconfig(error),
        _ => "the request cannot be made, or the answer cannot be read".to_owned(),
    }
}

fn of_credentials(error: &AuthError) -> String {
    match error {
        AuthError::InvalidBasicAuth(_) => "user name and password cannot be sent in a header".to_owned(),
        AuthError::InvalidBearerToken(_) => UNSENDABLE.to_owned(),
        AuthError::AuthExecStart(error) => format!("the credential plugin cannot be run: {}", of_system(error)),
        // What it printed may be a token.
        AuthError::AuthExecRun { out, .. } => format!("the credential plugin failed ({}); run it by hand to see why", out.status),
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            "what the credential plugin printed is no ExecCredential with a status".to_owned()
        }
        AuthError::MalformedTokenExpirationDate(_) => "the credentials' time of expiry is no time".to_owned(),
        AuthError::ReadTokenFile(error, _) => format!("the token file cannot be read: {}", of_system(error)),
        AuthError::MissingCommand => "the credential plugin has no command".to_owned(),
        _ => "the credentials of the kubeconfig cannot be used".to_owned(),
    }
}

fn of_data(field: &str, error: &LoadDataError) -> String {
    match error {
        LoadDataError::DecodeBase64(_) => format!("{field}-data is not in base64"),
        LoadDataError::ReadFile(error, _) => format!("the file of {field} cannot be read: {}", of_system(error)),
        LoadDataError::NoBase64DataOrFile => format!("{field} is empty"),
    }
}

/// What connections say is of the network and of the server's certificate; credentials may be asked for on the way.
fn of_connection(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<AuthError>() {
            words.push(of_credentials(error));
            break;
        }
        if let Some(error) = error.downcast_ref::<kube::Error>() {
            words.push(of_client(error));
            break;
        }
        let text = error.to_string();
        if !words.last().is_some_and(|last| last.ends_with(&text)) {
            words.push(text);
        }
        next = error.source();
    }
    words.join(": ")
}

/// The system's own words. Errors that others made may quote what they read.
fn of_system(error: &io::Error) -> String {
    if error.raw_os_error().is_some() { error.to_string() } else { error.kind().to_string() }
}
