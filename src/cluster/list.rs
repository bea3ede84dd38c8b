//! One kind of object in, page by page.

use std::time::Duration;

use kube::Client;
use kube::client::Body;
use kube::core::Request;
use kube::core::params::{ListParams, WatchParams};
use serde::Deserialize;
use serde_json::Value;

use super::{Cause, ClusterError, PAGE, Resource};
use crate::inventory::snapshot::narrow;

/// What the API is waited for before it is asked again, each time it says that it is busy.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// An API server to be asked.
pub(super) struct Connection {
    client: Client,
    server: String,
    patience: Duration,
}

/// A page of a typed list. Its items say neither kind nor version.
#[derive(Deserialize)]
struct Page {
    kind: String,
    metadata: PageMetadata,
    /// Null in lists of some aggregated servers.
    items: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct PageMetadata {
    #[serde(rename = "resourceVersion", default)]
    revision: String,
    #[serde(rename = "continue", default, deserialize_with = "token")]
    next: Option<String>,
}

/// A kind of object at one moment.
pub(super) struct Listed {
    /// Narrowed.
    pub(super) objects: Vec<Value>,
    /// The moment, as a watch that follows wants it.
    pub(super) revision: String,
}

/// The API leaves the token of the last page out, or empty.
fn token<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|token| !token.is_empty()))
}

/// What the API says of a request it does not grant, or what stands in its place.
#[derive(Deserialize)]
struct Status {
    kind: String,
    message: String,
}

impl Connection {
    pub(super) const fn new(client: Client, server: String, patience: Duration) -> Self {
        Self { client, server, patience }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Every object of the kind, narrowed, with its kind and version.
    pub(super) async fn list(&self, resource: &'static Resource) -> Result<Listed, ClusterError> {
        let mut objects = Vec::new();
        let mut token = String::new();
        let mut is_second_try = false;
        loop {
            match self.page(resource, &token).await {
                Ok(page) => {
                    objects.extend(page.items.into_iter().flatten().map(|object| name(object, resource)));
                    match page.metadata.next {
                        // All pages are of the first one's revision, and say so.
                        None => return Ok(Listed { objects, revision: page.metadata.revision }),
                        // It would go on for ever.
                        Some(next) if next == token => return Err(ClusterError::NotAList { resource }),
                        Some(next) => token = next,
                    }
                }
                // The revision of the first page is gone. What came is of no use: other objects may be there by now.
                Err(ClusterError::Expired { .. }) if !is_second_try => {
                    is_second_try = true;
                    token.clear();
                    objects.clear();
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn page(&self, resource: &'static Resource, token: &str) -> Result<Page, ClusterError> {
        let mut pauses = PAUSES.iter();
        let (status, answer) = loop {
            let (status, answer) = self.ask(resource, token).await?;
            match pauses.next() {
                Some(pause) if matches!(status, 429 | 503 | 504) => tokio::time::sleep(*pause).await,
                _ => break (status, answer),
            }
        };
        if status == 200 {
            let page: Page = serde_json::from_slice(&answer)
                .map_err(|error| ClusterError::Malformed { resource, source: Cause::of_answer(&error) })?;
            // Whatever else answers at that address, this is what the API calls it.
            return if page.kind == format!("{}List", resource.kind) {
                Ok(page)
            } else {
                Err(ClusterError::NotAList { resource })
            };
        }
        Err(self.refused(resource, status, &answer))
    }

    /// What an answer other than 200 means.
    pub(super) fn refused(&self, resource: &'static Resource, status: u16, answer: &[u8]) -> ClusterError {
        let message = message(answer);
        match status {
            401 => ClusterError::Unauthorized { server: self.server.clone(), message },
            403 => ClusterError::Forbidden { resource, message },
            404 => ClusterError::NotServed { server: self.server.clone(), resource },
            410 => ClusterError::Expired { resource, message },
            _ => ClusterError::Refused { resource, status, message },
        }
    }

    /// Status and body of one answer.
    async fn ask(&self, resource: &'static Resource, token: &str) -> Result<(u16, Vec<u8>), ClusterError> {
        let parameters = ListParams {
            limit: Some(PAGE),
            continue_token: Some(token.to_owned()).filter(|token| !token.is_empty()),
            ..ListParams::default()
        };
        let request = Request::new(resource.path()).list(&parameters);
        let request = request.map_err(|source| self.failed(kube::Error::BuildRequest(source)))?;
        let answer = tokio::time::timeout(self.patience, async {
            let response = self.client.send(request.map(Body::from)).await?;
            let status = response.status().as_u16();
            Ok((status, response.into_body().collect_bytes().await?.to_vec()))
        });
        match answer.await {
            Ok(answer) => answer.map_err(|source| self.failed(source)),
            Err(_) => Err(ClusterError::TimedOut { server: self.server.clone(), resource, patience: self.patience }),
        }
    }

    /// What it means that there is no answer.
    fn failed(&self, source: kube::Error) -> ClusterError {
        let server = self.server.clone();
        match source {
            // Tokens are read, and programs that give them run, when they are needed.
            kube::Error::Auth(_) => ClusterError::Credentials { server, source: source.into() },
            _ => ClusterError::Unreachable { server, source: source.into() },
        }
    }

    /// The answer to a watch of the kind from that moment on, which comes piece by piece for `length` seconds.
    pub(super) async fn follow(&self, resource: &'static Resource, revision: &str, length: u32) -> Result<Body, ClusterError> {
        let parameters = WatchParams { timeout: Some(length), bookmarks: true, ..WatchParams::default() };
        let request = Request::new(resource.path()).watch(&parameters, revision);
        let request = request.map_err(|source| self.failed(kube::Error::BuildRequest(source)))?;
        let answer = tokio::time::timeout(self.patience, async {
            let response = self.client.send(request.map(Body::from)).await?;
            let status = response.status().as_u16();
            let body = response.into_body();
            if status == 200 { Ok(Ok(body)) } else { Ok(Err((status, body.collect_bytes().await?))) }
        });
        match answer.await {
            Ok(Ok(Ok(body))) => Ok(body),
            Ok(Ok(Err((status, answer)))) => Err(self.refused(resource, status, &answer)),
            Ok(Err(source)) => Err(self.failed(source)),
            Err(_) => Err(ClusterError::TimedOut { server: self.server.clone(), resource, patience: self.patience }),
        }
    }
}

/// An item with what its list says of it, and without what no one reads.
pub(super) fn name(mut object: Value, resource: &Resource) -> Value {
    if let Value::Object(members) = &mut object {
        members.insert("apiVersion".into(), resource.api_version().into());
        members.insert("kind".into(), resource.kind.into());
    }
    narrow(&object)
}

/// The API's own words. Someone else's, such as a proxy's page, may quote the request with its token, and are not repeated.
fn message(answer: &[u8]) -> String {
    const LENGTH: usize = 300;
    match serde_json::from_slice::<Status>(answer) {
        Ok(Status { kind, message }) if kind == "Status" && !message.is_empty() => message.chars().take(LENGTH).collect(),
        Ok(Status { kind, .. }) if kind == "Status" => "it does not say why".to_owned(),
        _ if answer.is_empty() => "it does not say why".to_owned(),
        _ => format!("{} bytes that are no Status of the Kubernetes API, perhaps of a proxy", answer.len()),
    }
}
