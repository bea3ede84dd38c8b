//! A small API server: plain HTTP on the loopback interface, the objects of a recorded inventory, and whatever answer a test puts in
//! its place. It ends with the test: after so many requests, so much time, or when it is dropped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const MOST_REQUESTS: usize = 1000;
const LONGEST: Duration = Duration::from_mins(1);

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub authorization: Option<String>,
    /// How many requests came before it.
    pub number: usize,
}

/// What is answered.
pub struct Answer {
    pub status: u16,
    pub body: String,
    pub after: Duration,
}

impl Answer {
    pub fn new(status: u16, body: &(impl ToString + ?Sized)) -> Self {
        Self { status, body: body.to_string(), after: Duration::ZERO }
    }

    /// A refusal in the API's own shape.
    pub fn refusal(status: u16, reason: &str, message: &str) -> Self {
        let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": status});
        Self::new(status, &body)
    }
}

/// A list of the kind as the API gives it: items without kind and version.
pub fn list(kind: &str, items: &[Value], next: &str) -> Answer {
    Answer::new(200, &json!({"kind": format!("{kind}List"), "apiVersion": "v1", "metadata": {"continue": next}, "items": items}))
}

/// A cluster's objects, by path of the API.
pub struct Cluster(pub BTreeMap<&'static str, (&'static str, Vec<Value>)>);

const SERVED: [(&str, &str); 19] = [
    ("/api/v1/namespaces", "Namespace"),
    ("/api/v1/nodes", "Node"),
    ("/api/v1/pods", "Pod"),
    ("/api/v1/services", "Service"),
    ("/api/v1/replicationcontrollers", "ReplicationController"),
    ("/apis/discovery.k8s.io/v1/endpointslices", "EndpointSlice"),
    ("/apis/apps/v1/deployments", "Deployment"),
    ("/apis/apps/v1/replicasets", "ReplicaSet"),
    ("/apis/apps/v1/statefulsets", "StatefulSet"),
    ("/apis/apps/v1/daemonsets", "DaemonSet"),
    ("/apis/batch/v1/jobs", "Job"),
    ("/apis/batch/v1/cronjobs", "CronJob"),
    ("/apis/networking.k8s.io/v1/ingresses", "Ingress"),
    ("/apis/networking.k8s.io/v1/networkpolicies", "NetworkPolicy"),
    ("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
    ("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
    ("/apis/apiregistration.k8s.io/v1/apiservices", "APIService"),
    ("/apis/autoscaling/v2/horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    ("/apis/networking.k8s.io/v1/servicecidrs", "ServiceCIDR"),
];

/// Whether the API has the kind that is listed at this path.
pub fn is_served(path: &str) -> bool {
    SERVED.iter().any(|(served, _)| *served == path)
}

impl Cluster {
    /// The objects of a file of `captures/`.
    pub fn recorded(name: &str) -> Self {
        let text = fs::read_to_string(captures(name)).unwrap();
        let mut objects: Vec<Value> = serde_json::from_str::<Value>(&text).unwrap()["items"].as_array().unwrap().clone();
        let mut served = BTreeMap::new();
        for (path, kind) in SERVED {
            let (mut items, others): (Vec<Value>, Vec<Value>) = objects.into_iter().partition(|object| object["kind"] == kind);
            objects = others;
            for item in &mut items {
                let members = item.as_object_mut().unwrap();
                members.remove("kind");
                members.remove("apiVersion");
            }
            served.insert(path, (kind, items));
        }
        assert!(objects.is_empty(), "a kind is not served: {objects:#?}");
        Self(served)
    }

    /// The whole kind, or the page that `continue` names.
    pub fn answer(&self, request: &Request, page: usize) -> Answer {
        let Some((kind, items)) = self.0.get(request.path.as_str()) else {
            return Answer::new(404, "404 page not found");
        };
        let from: usize = request.query.get("continue").map_or(0, |token| token.parse().unwrap());
        let to = items.len().min(from + page);
        let next = if to < items.len() { to.to_string() } else { String::new() };
        list(kind, &items[from..to], &next)
    }
}

pub fn captures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(name)
}

/// The running server.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (log, stopped) = (Arc::clone(&requests), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let begin = Instant::now();
            while !stopped.load(Ordering::Relaxed) && begin.elapsed() < LONGEST && log.lock().unwrap().len() < MOST_REQUESTS {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let number = log.lock().unwrap().len();
                        // Who goes away without asking, or asks in another protocol, gets nothing.
                        if let Some(request) = read(&stream, number) {
                            log.lock().unwrap().push(request.clone());
                            let answer = answer(&request);
                            thread::sleep(answer.after);
                            write(stream, &answer);
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(2)),
                    Err(error) => panic!("{error}"),
                }
            }
        });
        Self { address, requests, stop, thread: Some(thread) }
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// A kubeconfig that leads here, by this scheme.
    pub fn kubeconfig(&self, scheme: &str, user: &str) -> String {
        kubeconfig(&format!("{scheme}://{}", self.address), user)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the API server panicked");
        }
    }
}

/// One cluster, one user (in YAML's flow style), and a second context without either.
pub fn kubeconfig(server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
         clusters: [{{name: c, cluster: {{server: '{server}', insecure-skip-tls-verify: true}}}}]\n\
         users: [{{name: u, user: {user}}}]\n\
         contexts: [{{name: here, context: {{cluster: c, user: u}}}}, {{name: broken, context: {{cluster: gone, user: u}}}}]\n"
    )
}

pub fn read(stream: &TcpStream, number: usize) -> Option<Request> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut lines = BufReader::new(stream.take(1 << 16)).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut authorization = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            authorization = Some(value.to_owned());
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned()));
    Some(Request { method, path: path.to_owned(), query: query.collect(), authorization, number })
}

pub fn write(mut stream: TcpStream, answer: &Answer) {
    let mut head = String::new();
    let _ = write!(head, "HTTP/1.1 {} x\r\nContent-Type: application/json\r\nConnection: close\r\n", answer.status);
    let _ = write!(head, "Content-Length: {}\r\n\r\n", answer.body.len());
    // The other side may have lost patience.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(answer.body.as_bytes()));
}
