//! `netpol-gen inventory` against a small API server.
#![cfg(feature = "cluster")]
#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

mod api;
#[cfg(all(feature = "live", target_os = "linux"))]
mod beside;
mod live;
mod watch;
mod watched_files;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use netpol_gen::cluster::{self, Access, ClusterError, RESOURCES};
use serde_json::{Value, json};

use api::{Answer, Cluster, Request, Server, captures, kubeconfig, list};

const USER: &str = "{token: abc}";

/// A folder with a kubeconfig, where the inventory goes too.
struct Place(tempfile::TempDir);

impl Place {
    fn new(kubeconfig: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config"), kubeconfig).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The command in an environment that leads to no cluster.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        for name in ["KUBECONFIG", "HTTPS_PROXY", "https_proxy", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"] {
            command.env_remove(name);
        }
        command.current_dir(self.0.path()).env("HOME", self.0.path());
        command
    }

    fn inventory(&self, arguments: &[&str]) -> Output {
        self.command().arg("inventory").args(arguments).output().unwrap()
    }

    /// To the file `cluster.json`.
    fn take(&self) -> Output {
        self.inventory(&["--kubeconfig", "config", "--output", "cluster.json"])
    }

    fn taken(&self) -> String {
        fs::read_to_string(self.path("cluster.json")).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The shop, but for what `instead` answers.
fn shop(page: usize, instead: impl Fn(&Request) -> Option<Answer> + Send + 'static) -> Server {
    let cluster = Cluster::recorded("shop.json");
    Server::start(move |request| instead(request).unwrap_or_else(|| cluster.answer(request, page)))
}

/// What the shop's cluster is written as when nothing is in the way.
fn undisturbed() -> String {
    let server = shop(500, |_| None);
    let place = Place::new(&server.kubeconfig("http", USER));
    let output = place.take();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    place.taken()
}

/// All files below a folder; of the review without the names of the inventories, by which runs may differ that learn the same.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let mut text = fs::read_to_string(&path).unwrap();
                if path.ends_with("REVIEW.json") {
                    let mut review: Value = serde_json::from_str(&text).unwrap();
                    assert!(review["captures"].as_object_mut().unwrap().remove("inventories").is_some());
                    text = review.to_string();
                }
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), text);
            }
        }
    }
    found
}

#[test]
fn the_cluster_teaches_the_same_as_the_recorded_inventory() {
    let server = shop(500, |_| None);
    let place = Place::new(&server.kubeconfig("http", USER));
    let output = place.take();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.is_empty(), "standard output is for data");
    let told = stderr(&output);
    assert!(
        told.starts_with("36 objects, 10 of them pods, from http://127.0.0.1:") && told.ends_with(" to cluster.json\n"),
        "{told}"
    );

    let learn = |inventory: &Path, output: &str| {
        let mut command = place.command();
        command.args(["learn", "--output", output, "--read"]).arg(captures("shop.pcap")).arg("--inventory").arg(inventory);
        let learned = command.output().unwrap();
        assert_eq!(learned.status.code(), Some(0), "{}", stderr(&learned));
        files(&place.path(output))
    };
    let from_cluster = learn(&place.path("cluster.json"), "a");
    assert!(from_cluster.len() > 5, "policies were made: {:?}", from_cluster.keys());
    assert_eq!(from_cluster, learn(&captures("shop.yaml"), "b"));
}

#[test]
fn each_kind_is_asked_for_once_and_nothing_else() {
    let server = shop(500, |_| None);
    let place = Place::new(&server.kubeconfig("http", USER));
    let output = place.inventory(&["--kubeconfig", "config", "--output", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), undisturbed(), "the stream is the file");
    let requests = server.requests();
    let asked: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    let expected: Vec<String> = RESOURCES.iter().map(cluster::Resource::path).collect();
    assert_eq!(asked, expected);
    for request in &requests {
        assert_eq!(request.method, "GET", "{request:?}");
        assert_eq!(request.query, BTreeMap::from([("limit".to_owned(), "500".to_owned())]), "{request:?}");
        assert_eq!(request.authorization.as_deref(), Some("Bearer abc"), "{request:?}");
    }
}

#[test]
fn the_file_is_one_list_of_narrow_objects() {
    let text = undisturbed();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["apiVersion"], &value["kind"]), (&"v1".into(), &"List".into()));
    let items = value["items"].as_array().unwrap();
    assert!(
        items
            .iter()
            .all(|item| item["apiVersion"].is_string() && item["kind"].is_string() && item["metadata"]["name"].is_string())
    );
    for unread in ["image", "env", "volumes", "managedFields", "serviceAccountName"] {
        assert!(!text.contains(&format!("\"{unread}\"")), "{unread} was kept");
    }
    assert_eq!(text.lines().count(), items.len() + 2, "an object a line");
}

#[test]
fn pages_are_put_together() {
    let server = shop(3, |_| None);
    let place = Place::new(&server.kubeconfig("http", USER));
    let output = place.take();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(place.taken(), undisturbed());
    let pods = server.requests().into_iter().filter(|request| request.path == "/api/v1/pods");
    let tokens: Vec<Option<String>> = pods.map(|request| request.query.get("continue").cloned()).collect();
    assert_eq!(tokens, [None, Some("3".into()), Some("6".into()), Some("9".into())], "ten pods in pages of three");
}

#[test]
fn a_list_that_expires_is_begun_anew_once() {
    let expired = || Answer::refusal(410, "Expired", "The provided continue parameter is too old");
    // Only the first request for that page is refused.
    let hit = std::sync::atomic::AtomicBool::new(false);
    let server = shop(3, move |request| {
        let is_second_page = request.path == "/api/v1/pods" && request.query.get("continue").is_some_and(|token| token == "6");
        (is_second_page && !hit.swap(true, std::sync::atomic::Ordering::Relaxed)).then(expired)
    });
    let place = Place::new(&server.kubeconfig("http", USER));
    let output = place.take();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(place.taken(), undisturbed(), "no pod twice");
    assert_eq!(server.requests().iter().filter(|request| request.path == "/api/v1/pods").count(), 3 + 4);

    let server = shop(3, move |request| request.query.contains_key("continue").then(expired));
    let place = Place::new(&server.kubeconfig("http", USER));
    let output = place.take();
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(told.contains("failed to list namespaces: The provided continue parameter is too old\nhint: "), "{told}");
    assert_eq!(server.requests().len(), 4, "begun anew once");
}

/// What is answered, what it leads to, and what is said of it.
struct Row {
    case: &'static str,
    path: &'static str,
    answer: fn() -> Answer,
    code: i32,
    told: &'static [&'static str],
}

const PODS: &str = "/api/v1/pods";
const INGRESSES: &str = "/apis/networking.k8s.io/v1/ingresses";

const ROWS: &[Row] = &[
    Row {
        case: "401",
        path: "/api/v1/namespaces",
        answer: || Answer::refusal(401, "Unauthorized", "Unauthorized"),
        code: 2,
        told: &["error: failed to log in to the cluster at http://127.0.0.1:", ": Unauthorized\nhint: the credentials"],
    },
    Row {
        case: "403 for what identities rest on",
        path: PODS,
        answer: || Answer::refusal(403, "Forbidden", "pods is forbidden: User \"u\" cannot list resource \"pods\""),
        code: 2,
        told: &[
            "error: failed to list pods: pods is forbidden: User \"u\" cannot list resource \"pods\"\n",
            "hint: allow it by a rule of a ClusterRole bound to whoever asks: {apiGroups: [\"\"], resources: [\"pods\"], verbs: [\"list\", \"watch\"]}\n",
        ],
    },
    Row {
        case: "403 for another kind",
        path: INGRESSES,
        answer: || Answer::refusal(403, "Forbidden", "ingresses.networking.k8s.io is forbidden"),
        code: 0,
        told: &[
            "warning: ingresses.networking.k8s.io left out: ingresses.networking.k8s.io is forbidden\n",
            "hint: allow it by a rule of a ClusterRole: \
             {apiGroups: [\"networking.k8s.io\"], resources: [\"ingresses\"], verbs: [\"list\", \"watch\"]}\n",
        ],
    },
    Row {
        case: "404 for a kind that every cluster has",
        path: INGRESSES,
        answer: || Answer::new(404, "404 page not found"),
        code: 0,
        told: &["warning: ingresses.networking.k8s.io left out: the cluster has no such kind\n"],
    },
    Row {
        case: "404 for what identities rest on",
        path: PODS,
        answer: || Answer::new(404, "404 page not found"),
        code: 2,
        told: &["error: failed to list pods: the server at http://127.0.0.1:", "hint: is this the address of a Kubernetes API"],
    },
    Row {
        case: "500",
        path: INGRESSES,
        answer: || Answer::refusal(500, "InternalError", "etcdserver: request timed out"),
        code: 2,
        told: &["failed to list ingresses.networking.k8s.io: the API answers 500: etcdserver: request timed out\nhint: "],
    },
    Row {
        case: "a proxy's page",
        path: PODS,
        answer: || Answer::new(502, "<html>\r\n<b>Bad Gateway</b></html>"),
        code: 2,
        told: &["the API answers 502: 33 bytes that are no Status of the Kubernetes API, perhaps of a proxy\n"],
    },
    Row {
        case: "an odd Status",
        path: PODS,
        answer: || Answer::refusal(502, "InternalError", "Bad\u{1b}[2J Gateway"),
        code: 2,
        told: &["failed to list pods: the API answers 502: Bad\\u{1b}[2J Gateway\n"],
    },
    Row {
        case: "JSON of another shape",
        path: PODS,
        answer: || Answer::new(200, "{\"kind\": {\"token\": \"abc\"}}"),
        code: 2,
        told: &["failed to read the list of pods: JSON of another shape at line 1 column 9\nhint: "],
    },
    Row {
        case: "an answer without a word",
        path: PODS,
        answer: || Answer::new(500, ""),
        code: 2,
        told: &["the API answers 500: it does not say why\n"],
    },
    Row {
        case: "JSON that breaks off",
        path: PODS,
        answer: || Answer::new(200, "{\"kind\": \"PodList\", \"metadata\": {}, \"items\": [{\"metadata\""),
        code: 2,
        told: &["failed to read the list of pods: EOF while parsing an object at line 1 column 57\nhint: "],
    },
    Row {
        case: "a log-in page",
        path: PODS,
        answer: || Answer::new(200, "<html>Log in</html>"),
        code: 2,
        told: &["failed to read the list of pods: expected value at line 1 column 1\nhint: "],
    },
    Row {
        case: "a list of something else",
        path: PODS,
        answer: || list("Secret", &[], ""),
        code: 2,
        told: &["failed to read the list of pods: the answer is another one\nhint: "],
    },
    Row {
        case: "pages without end",
        path: PODS,
        answer: || list("Pod", &[], "again"),
        code: 2,
        told: &["failed to read the list of pods: the answer is another one\nhint: "],
    },
    Row {
        case: "no pods",
        path: PODS,
        answer: || list("Pod", &[], ""),
        code: 2,
        told: &["failed to find a pod in the cluster at http://127.0.0.1:", "hint: is it the right cluster?"],
    },
];

#[test]
fn what_goes_wrong_is_told_and_leaves_the_old_file() {
    for Row { case, path, answer, code, told } in ROWS {
        let server = shop(500, move |request| (request.path == *path).then(answer));
        let place = Place::new(&server.kubeconfig("http", USER));
        fs::write(place.path("cluster.json"), "old").unwrap();
        let output = place.take();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(*code), "{case}: {text}");
        for part in *told {
            assert!(text.contains(part), "{case}: {part:?} is missing in\n{text}");
        }
        assert_eq!(place.taken() == "old", *code != 0, "{case}");
        assert_eq!(place.names(), ["cluster.json", "config"], "{case}: nothing is left lying about");
    }
}

#[test]
fn what_is_answered_in_the_place_of_the_api_is_not_repeated() {
    // A page that quotes the request, or anything else with the token in it.
    let rows: [fn() -> Answer; 8] = [
        || Answer::new(200, "<html>Authorization: Bearer abc-token</html>"),
        || Answer::new(200, "\"abc-token\""),
        || Answer::new(200, "{\"kind\": \"PodList\", \"metadata\": \"abc-token\"}"),
        || Answer::new(200, "{\"kind\": [\"abc-token\"]}"),
        || Answer::new(401, "<html>abc-token</html>"),
        || Answer::new(403, "{\"kind\": \"Error\", \"message\": \"abc-token\"}"),
        || Answer::new(500, "{\"message\": \"abc-token\"}"),
        || Answer::new(502, "Authorization: Bearer abc-token"),
    ];
    for (position, answer) in rows.into_iter().enumerate() {
        let server = shop(500, move |request| (request.path == PODS).then(answer));
        let place = Place::new(&server.kubeconfig("http", "{token: abc-token}"));
        let output = place.take();
        assert_eq!(output.status.code(), Some(2), "row {position}");
        let told = stderr(&output);
        assert!(told.starts_with("error: failed to ") && !told.contains("abc-token"), "row {position}: {told}");
        assert!(server.requests().iter().any(|request| request.path == PODS), "row {position}: the API was asked");
    }
}

#[test]
fn kinds_that_older_clusters_lack_are_not_missed() {
    let server = shop(500, |request| request.path.ends_with("/servicecidrs").then(|| Answer::new(404, "404 page not found")));
    let place = Place::new(&server.kubeconfig("http", USER));
    let output = place.take();
    assert_eq!(output.status.code(), Some(0));
    assert!(!stderr(&output).contains("warning"), "{}", stderr(&output));
}

#[test]
fn an_api_server_that_is_busy_is_asked_again() {
    let server = shop(500, |request| (request.number == 0).then(|| Answer::refusal(429, "TooManyRequests", "too many")));
    let place = Place::new(&server.kubeconfig("http", USER));
    let output = place.take();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(place.taken(), undisturbed());
    assert_eq!(server.requests().len(), RESOURCES.len() + 1);

    let server = shop(500, |_| Some(Answer::refusal(503, "ServiceUnavailable", "starting")));
    let place = Place::new(&server.kubeconfig("http", USER));
    let output = place.take();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("failed to list namespaces: the API answers 503: starting\n"), "{}", stderr(&output));
    assert_eq!(server.requests().len(), 4, "asked, and three times again");
}

#[test]
fn an_api_server_that_is_slow_is_not_waited_for_for_ever() {
    let server = shop(500, |request| {
        (request.path == PODS).then(|| Answer { after: Duration::from_secs(2), ..list("Pod", &[json!({})], "") })
    });
    let place = Place::new(&server.kubeconfig("http", USER));
    let patience = Duration::from_millis(300);
    let begin = Instant::now();
    let error = cluster::list(&Access { kubeconfig: Some(place.path("config")), context: None, patience }).unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert!(matches!(&error, ClusterError::TimedOut { resource, .. } if resource.kind == "Pod"), "{error}");
    assert!(error.to_string().ends_with("no whole answer within 0.3 s"), "{error}");
}

#[test]
fn a_cluster_that_is_not_there_is_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = Place::new(&kubeconfig(&format!("http://{free}/path?secret"), USER));
    let output = place.take();
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(told.contains(&format!("failed to reach the cluster at http://{free}: ")) && told.contains("refused"), "{told}");
    assert!(told.contains("hint: does `kubectl get nodes` work from here?"), "{told}");

    let server = shop(500, |_| None);
    let place = Place::new(&server.kubeconfig("https", USER));
    let output = place.take();
    assert_eq!(output.status.code(), Some(2), "no TLS there: {}", stderr(&output));
    assert!(stderr(&output).contains("failed to reach the cluster at https://127.0.0.1:"), "{}", stderr(&output));
}

#[test]
fn a_kubeconfig_that_leads_nowhere_is_told() {
    let good = kubeconfig("http://127.0.0.1:1", USER);
    let failing = kubeconfig(
        "http://127.0.0.1:1",
        "{exec: {apiVersion: client.authentication.k8s.io/v1, command: 'false', interactiveMode: Never}}",
    );
    let rows: [(&str, &str, &[&str], &str); 6] = [
        ("none at all", &good, &[], "failed to find a cluster to ask: there is no kubeconfig"),
        ("none, but a context", &good, &["--context", "here"], "failed to find a cluster to ask: there is no kubeconfig"),
        ("not there", &good, &["--kubeconfig", "gone"], "failed to use the kubeconfig gone: "),
        ("not YAML", "{", &["--kubeconfig", "config"], "failed to use the kubeconfig config: it is no kubeconfig: see line 1"),
        (
            "no such context",
            &good,
            &["--kubeconfig", "config", "--context", "x"],
            "failed to use the kubeconfig config: it has no such context",
        ),
        (
            "no credentials",
            &failing,
            &["--kubeconfig", "config"],
            "failed to get credentials for the cluster at http://127.0.0.1:1: ",
        ),
    ];
    for (case, kubeconfig, arguments, expected) in rows {
        let place = Place::new(kubeconfig);
        let output = place.inventory(&[&["--output", "cluster.json"], arguments].concat());
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{case}: {told}");
        assert!(told.contains(expected) && told.contains("\nhint: "), "{case}: {told}");
        assert_eq!(place.names(), ["config"], "{case}");
    }
    let place = Place::new(&good);
    let output = place
        .command()
        .env("KUBECONFIG", "config")
        .env("HTTPS_PROXY", "http://127.0.0.1:2")
        .args(["inventory", "-o", "-"])
        .output();
    let told = stderr(&output.unwrap());
    assert!(
        told.contains("failed to connect to the cluster at http://127.0.0.1:1 over a proxy")
            && told.contains("unset HTTPS_PROXY"),
        "{told}"
    );
}

#[test]
fn the_context_asked_for_is_taken() {
    let server = shop(500, |_| None);
    let place = Place::new(&server.kubeconfig("http", USER));
    let with = |context: &str| {
        place.command().env("KUBECONFIG", "config").args(["inventory", "-o", "-", "--context", context]).output().unwrap()
    };
    assert_eq!(with("here").status.code(), Some(0));
    let broken = with("broken");
    assert_eq!(broken.status.code(), Some(2));
    assert!(stderr(&broken).contains("it has no such cluster as the context names"), "{}", stderr(&broken));
}

#[cfg(unix)]
#[test]
fn a_place_that_cannot_be_written_is_told() {
    let server = shop(500, |_| None);
    let place = Place::new(&server.kubeconfig("http", USER));
    fs::create_dir(place.path("folder")).unwrap();
    for (output, expected) in
        [("folder", "failed to write folder: is a directory"), ("gone/x.json", "failed to write gone/x.json: ")]
    {
        let result = place.inventory(&["--kubeconfig", "config", "--output", output]);
        assert_eq!(result.status.code(), Some(2));
        assert!(stderr(&result).contains(expected), "{}", stderr(&result));
        assert_eq!(place.names(), ["config", "folder"], "{output}");
    }
    let result = place.inventory(&["--kubeconfig", "config", "--output", "/dev/null"]);
    assert_eq!(result.status.code(), Some(0), "a device is written to, not replaced: {}", stderr(&result));
    std::os::unix::fs::symlink("target.json", place.path("link.json")).unwrap();
    fs::write(place.path("target.json"), "old").unwrap();
    let result = place.inventory(&["--kubeconfig", "config", "--output", "link.json"]);
    assert_eq!(result.status.code(), Some(0), "{}", stderr(&result));
    assert!(fs::symlink_metadata(place.path("link.json")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(place.path("target.json")).unwrap(), undisturbed());
}
