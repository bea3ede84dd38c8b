//! An API server whose objects change: lists, watches, bookmarks, a log that can be compacted, and everything that can go wrong.
//! It grants what `templates/cluster-role.yaml` grants, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netpol_gen::cluster::ROLE;
use serde_json::{Value, json};

use crate::api::{Answer, Cluster, Request, kubeconfig, read, write};

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(40);

/// Waits for it.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < DEADLINE, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

type Instead = Box<dyn Fn(&Request) -> Option<Answer> + Send>;

/// By path, then by namespace and name.
type Objects = BTreeMap<&'static str, (&'static str, BTreeMap<(String, String), Value>)>;

struct State {
    objects: Objects,
    revision: u64,
    /// Revision, path, line.
    log: Vec<(u64, String, String)>,
    /// Everything before is forgotten.
    oldest: u64,
    /// Whether a watch from before is answered by 410, or by an event that says so.
    refuses_by_event: bool,
    /// Raised to cut all connections.
    generation: u64,
    is_down: bool,
    /// Accepts, and does not answer.
    is_mute: bool,
    /// How many watches there were.
    begun: u64,
    /// Of these, so many are told nothing any more and not ended either.
    deaf: u64,
    token: String,
    instead: Instead,
    requests: Vec<Request>,
    watching: BTreeMap<String, usize>,
}

/// The running server.
pub struct Live {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// The shop's cluster.
    pub fn shop() -> Self {
        let recorded = Cluster::recorded("shop.json").0;
        let named = |items: Vec<Value>| items.into_iter().map(|item| (key(&item), item)).collect();
        let objects = recorded.into_iter().map(|(path, (kind, items))| (path, (kind, named(items)))).collect();
        let state = State {
            objects,
            revision: 1_000_000,
            log: Vec::new(),
            oldest: 0,
            refuses_by_event: false,
            generation: 0,
            is_down: false,
            is_mute: false,
            begun: 0,
            deaf: 0,
            token: "abc".to_owned(),
            instead: Box::new(|_| None),
            requests: Vec::new(),
            watching: BTreeMap::new(),
        };
        let state = Arc::new((Mutex::new(state), Condvar::new()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let granted = granted();
            let mut connections = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let (state, stop, granted) = (Arc::clone(&shared), Arc::clone(&stopped), granted.clone());
                        connections.push(thread::spawn(move || serve(stream, &state, &stop, &granted)));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(2)),
                    Err(error) => panic!("{error}"),
                }
            }
            for connection in connections {
                connection.join().unwrap();
            }
        });
        Self { address, state, stop, thread: Some(thread) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    fn change(&self, what: impl FnOnce(&mut State)) {
        what(&mut self.state());
        self.state.1.notify_all();
    }

    pub fn kubeconfig(&self, user: &str) -> String {
        kubeconfig(&format!("http://{}", self.address), user)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Creates or changes an object; returns its revision.
    pub fn apply(&self, path: &'static str, mut object: Value) -> u64 {
        let mut revision = 0;
        self.change(|state| {
            state.revision += 1;
            revision = state.revision;
            object["metadata"]["resourceVersion"] = revision.to_string().into();
            let (kind, objects) = state.objects.get_mut(path).unwrap();
            let event = if objects.insert(key(&object), object.clone()).is_some() { "MODIFIED" } else { "ADDED" };
            let line = line(event, path, kind, object);
            state.log.push((revision, path.to_owned(), line));
        });
        revision
    }

    pub fn delete(&self, path: &'static str, namespace: &str, name: &str) {
        self.change(|state| {
            state.revision += 1;
            let (kind, objects) = state.objects.get_mut(path).unwrap();
            let mut object = objects.remove(&(namespace.to_owned(), name.to_owned())).unwrap();
            object["metadata"]["resourceVersion"] = state.revision.to_string().into();
            let line = line("DELETED", path, kind, object);
            state.log.push((state.revision, path.to_owned(), line));
        });
    }

    /// An object as it is now.
    pub fn object(&self, path: &str, namespace: &str, name: &str) -> Value {
        self.state().objects[path].1[&(namespace.to_owned(), name.to_owned())].clone()
    }

    /// Sends this line to who watches now.
    pub fn say(&self, path: &str, line: &str) {
        self.change(|state| {
            state.revision += 1;
            state.log.push((state.revision, path.to_owned(), format!("{line}\n")));
        });
    }

    pub fn bookmark(&self, path: &'static str) {
        let revision = self.state().revision + 1;
        let kind = self.state().objects[path].0;
        let object = json!({"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": revision.to_string()}});
        self.say(path, &json!({"type": "BOOKMARK", "object": object}).to_string());
    }

    /// Forgets all changes so far; who was not told of them is told 410.
    pub fn compact(&self, refuses_by_event: bool) {
        self.change(|state| {
            state.oldest = state.revision;
            state.refuses_by_event = refuses_by_event;
            state.log.clear();
        });
    }

    /// Cuts all watches.
    pub fn cut(&self) {
        self.change(|state| state.generation += 1);
    }

    pub fn set_down(&self, is_down: bool) {
        self.change(|state| {
            state.is_down = is_down;
            state.generation += 1;
        });
    }

    pub fn set_mute(&self, is_mute: bool) {
        self.change(|state| state.is_mute = is_mute);
    }

    /// Tells nothing any more to who watches now, and does not say so.
    pub fn forget_watches(&self) {
        self.change(|state| state.deaf = state.begun);
    }

    /// What is valid from now on.
    pub fn set_token(&self, token: &str) {
        self.change(|state| token.clone_into(&mut state.token));
    }

    pub fn answer_instead(&self, instead: impl Fn(&Request) -> Option<Answer> + Send + 'static) {
        self.change(|state| state.instead = Box::new(instead));
    }

    pub fn requests(&self, path: &str) -> Vec<Request> {
        self.state().requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// How often the kind was listed.
    pub fn lists(&self, path: &str) -> usize {
        self.requests(path).iter().filter(|request| !is_watch(request)).count()
    }

    /// How often watching it was begun.
    pub fn watches(&self, path: &str) -> usize {
        self.requests(path).iter().filter(|request| is_watch(request)).count()
    }

    /// How many watch it now.
    pub fn watching(&self, path: &str) -> usize {
        self.state().watching.get(path).copied().unwrap_or_default()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.state.1.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the API server panicked");
        }
    }
}

pub fn is_watch(request: &Request) -> bool {
    request.query.get("watch").is_some_and(|value| value == "true" || value == "1")
}

fn key(object: &Value) -> (String, String) {
    let text = |member: &str| object["metadata"][member].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

/// Events, unlike items of lists, say what they are.
fn line(event: &str, path: &str, kind: &str, mut object: Value) -> String {
    object["kind"] = kind.into();
    object["apiVersion"] = path.trim_start_matches("/apis/").trim_start_matches("/api/").rsplit_once('/').unwrap().0.into();
    format!("{}\n", json!({"type": event, "object": object}))
}

/// Group, plural and verb of everything that the shipped role grants.
pub fn granted() -> BTreeSet<(String, String, String)> {
    let texts = |rule: &Value, member: &str| -> Vec<String> {
        rule[member].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut granted = BTreeSet::new();
    for document in ROLE.split("\n---\n") {
        let document: Value = serde_saphyr::from_str(document).unwrap();
        for rule in document["rules"].as_array().into_iter().flatten() {
            for group in texts(rule, "apiGroups") {
                for plural in texts(rule, "resources") {
                    granted.extend(texts(rule, "verbs").into_iter().map(|verb| (group.clone(), plural.clone(), verb)));
                }
            }
        }
    }
    granted
}

fn is_granted(request: &Request, granted: &BTreeSet<(String, String, String)>) -> bool {
    let parts: Vec<&str> = request.path.split('/').collect();
    let (group, plural) = match parts[..] {
        ["", "api", "v1", plural] => ("", plural),
        ["", "apis", group, _, plural] => (group, plural),
        _ => return false,
    };
    let verb = if is_watch(request) { "watch" } else { "list" };
    request.method == "GET" && granted.contains(&(group.to_owned(), plural.to_owned(), verb.to_owned()))
}

fn serve(stream: TcpStream, shared: &(Mutex<State>, Condvar), stop: &AtomicBool, granted: &BTreeSet<(String, String, String)>) {
    if shared.0.lock().unwrap().is_down {
        return;
    }
    let Some(request) = read(&stream, 0) else { return };
    let mut state = shared.0.lock().unwrap();
    state.requests.push(request.clone());
    while state.is_mute && !stop.load(Ordering::Relaxed) {
        state = shared.1.wait_timeout(state, Duration::from_millis(20)).unwrap().0;
    }
    let answer = if request.authorization.as_deref() != Some(&format!("Bearer {}", state.token)) {
        Some(Answer::refusal(401, "Unauthorized", "Unauthorized"))
    } else if !is_granted(&request, granted) {
        Some(Answer::refusal(403, "Forbidden", &format!("{} is forbidden by the role", request.path)))
    } else {
        (state.instead)(&request)
    };
    let answer = answer.or_else(|| {
        let Some((kind, objects)) = state.objects.get(request.path.as_str()) else {
            return Some(Answer::new(404, "404 page not found"));
        };
        let items: Vec<&Value> = objects.values().collect();
        let metadata = json!({"resourceVersion": state.revision.to_string()});
        let list = json!({"kind": format!("{kind}List"), "apiVersion": "v1", "metadata": metadata, "items": items});
        (!is_watch(&request)).then(|| Answer::new(200, &list))
    });
    drop(state);
    match answer {
        Some(answer) => {
            thread::sleep(answer.after);
            write(stream, &answer);
        }
        None => follow(stream, &request, shared, stop),
    }
}

fn follow(mut stream: TcpStream, request: &Request, shared: &(Mutex<State>, Condvar), stop: &AtomicBool) {
    let mut state = shared.0.lock().unwrap();
    let mut sent: u64 = request.query["resourceVersion"].parse().unwrap_or(u64::MAX);
    if sent < state.oldest && !state.refuses_by_event {
        drop(state);
        return write(stream, &Answer::refusal(410, "Expired", "too old resource version"));
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    if stream.write_all(head.as_bytes()).is_err() {
        return;
    }
    if sent < state.oldest {
        drop(state);
        let status = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"});
        let _ = chunk(&mut stream, &format!("{}\n", json!({"type": "ERROR", "object": status})));
        let _ = stream.write_all(b"0\r\n\r\n");
        return;
    }
    let generation = state.generation;
    state.begun += 1;
    let number = state.begun;
    *state.watching.entry(request.path.clone()).or_default() += 1;
    while state.generation == generation && !stop.load(Ordering::Relaxed) {
        let news: Vec<(u64, String)> = state
            .log
            .iter()
            .filter(|(revision, path, _)| *revision > sent && *path == request.path)
            .map(|(revision, _, line)| (*revision, line.clone()))
            .collect();
        if news.is_empty() || state.is_mute || number <= state.deaf {
            state = shared.1.wait_timeout(state, Duration::from_millis(20)).unwrap().0;
            continue;
        }
        drop(state);
        let mut is_open = true;
        for (revision, line) in news {
            sent = revision;
            // In two pieces: lines are not chunks.
            let middle = line.len() / 2;
            is_open &= line.is_char_boundary(middle)
                && chunk(&mut stream, &line[..middle]).is_ok()
                && chunk(&mut stream, &line[middle..]).is_ok();
        }
        state = shared.0.lock().unwrap();
        if !is_open {
            break;
        }
    }
    *state.watching.get_mut(&request.path).unwrap() -= 1;
}

fn chunk(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
}
