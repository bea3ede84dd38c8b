//! What a live run can still do while it decodes, read back from the kernel for every thread, and whose its files are.
//!
//! As root in a network namespace of its own; as any other user in a user namespace too, where nobody else can be become. Where neither
//! can be had, the tests fail.
#![cfg(all(feature = "live", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);
/// `CAP_NET_RAW`, as /proc has it.
const NET_RAW: u64 = 1 << 13;

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The user `nobody` of this machine.
fn nobody() -> u32 {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().find_map(|line| line.strip_prefix("nobody:"));
    line.map_or(65534, |line| line.split(':').nth(1).unwrap().parse().unwrap())
}

/// A live run in a network namespace of its own.
struct Run {
    child: Child,
    stderr: PathBuf,
}

impl Run {
    /// Begins it in this directory, and waits until it captures.
    fn begin(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let stderr = folder.join("stderr");
        let mut command = Command::new("unshare");
        command.args(if is_root() { ["-n"].as_slice() } else { &["-U", "-r", "-n"] });
        // Something to be captured: refused connections of the loopback interface.
        let script =
            "ip link set lo up && { while sleep 0.2; do (: < /dev/tcp/127.0.0.1/9) 2> /dev/null; done & } && exec \"$0\" \"$@\"";
        command.args(["bash", "-c", script, env!("CARGO_BIN_EXE_netpol-gen")]).args(arguments);
        command.env_remove("SUDO_UID").env_remove("SUDO_GID").envs(environment.iter().copied());
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        // The connections end with the group.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.stderr(fs::File::create(&stderr).unwrap()).spawn().unwrap();
        let mut run = Self { child, stderr };
        let begin = Instant::now();
        while !run.told().contains("capturing on") {
            let ended = run.child.try_wait().unwrap();
            assert!(ended.is_none() && begin.elapsed() < DEADLINE, "{ended:?} {}", run.told());
            thread::sleep(Duration::from_millis(20));
        }
        run
    }

    fn told(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Of every thread, by number: its name and what the kernel says of it.
    fn threads(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap() {
            let entry = entry.unwrap();
            let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
            let lines = status.lines().filter_map(|line| line.split_once(':'));
            let fields = lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
            threads.insert(entry.file_name().into_string().unwrap(), fields);
        }
        threads
    }

    /// Ends it as Ctrl-C does; its exit code.
    fn end(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let begin = Instant::now();
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code();
            }
            assert!(begin.elapsed() < DEADLINE, "it does not end: {}", self.told());
            thread::sleep(Duration::from_millis(20));
        };
        (code, self.told())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

/// The four numbers (real, effective, saved, file system) that are all this one.
fn all(number: u32) -> String {
    [number; 4].map(|number| number.to_string()).join("\t")
}

#[test]
fn no_thread_that_decodes_can_do_anything() {
    let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/shop.yaml");
    let learn = ["learn", "--offline", "--inventory", shop];
    let capture = ["capture", "--output", "x.flows.zst"];
    let rows: [(&str, &[&str], &[&str], bool); 4] = [
        ("capture on all", &capture, &[], false),
        ("capture on one that may come again", &capture, &["--interface", "lo"], true),
        ("learn on all", &learn, &[], false),
        ("learn on those of a pattern", &learn, &["--interface", "l*"], true),
    ];
    for (what, command, interfaces, opens_again) in rows {
        for (environment, user) in [([].as_slice(), nobody()), (&[("SUDO_UID", "1234"), ("SUDO_GID", "1235")], 1234)] {
            let folder = tempfile::tempdir().unwrap();
            let run = Run::begin(folder.path(), environment, &[command, interfaces].concat());
            // Until the interfaces' threads are there.
            let begin = Instant::now();
            while run.threads().len() < 2 + usize::from(opens_again) {
                assert!(begin.elapsed() < DEADLINE, "{what}: {}", run.told());
                thread::sleep(Duration::from_millis(20));
            }
            let threads = run.threads();
            let mut opening = 0;
            for (number, fields) in &threads {
                let told = format!("{what}, thread {number}: {fields:#?}");
                let capabilities =
                    ["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|set| u64::from_str_radix(&fields[set], 16).unwrap());
                if opens_again && fields["Name"] == "interfaces" {
                    opening += 1;
                    assert_eq!(capabilities, [0, NET_RAW, NET_RAW, 0], "{told}");
                } else {
                    assert_eq!(capabilities, [0; 4], "{told}");
                }
                assert_eq!((fields["NoNewPrivs"].as_str(), fields["Seccomp"].as_str()), ("1", "2"), "{told}");
                if is_root() {
                    assert_eq!(fields["Uid"], all(user), "{told}");
                    assert_eq!(fields["Groups"], "", "{told}");
                    let bounding = u64::from_str_radix(&fields["CapBnd"], 16).unwrap();
                    assert_eq!(bounding & !if opens_again { NET_RAW } else { 0 }, 0, "{told}");
                }
            }
            assert_eq!(opening, usize::from(opens_again), "{what}: {threads:#?}");
            let (_, told) = run.end();
            assert!(!told.contains("/proc/self"), "{what}: {told}");
            if is_root() {
                let files = tree(folder.path());
                let own = files.iter().filter(|path| !path.ends_with("stderr"));
                for path in own {
                    assert_eq!(fs::symlink_metadata(path).unwrap().uid(), user, "{what}: {}", path.display());
                }
                assert!(files.len() > 1, "{what}: {files:?}");
            }
        }
    }
}

fn tree(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(inner) = pending.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A run of the shop that was killed, as the directory `policies.record`.
fn killed_run(folder: &Path) {
    let record = folder.join("policies.record");
    fs::create_dir(&record).unwrap();
    let whole = folder.join("whole.zst");
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/shop.pcap");
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    let done = command.args(["capture", "--read", capture, "--output"]).arg(&whole).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = zstd::decode_all(&fs::read(&whole).unwrap()[..]).unwrap();
    let text = String::from_utf8(text).unwrap();
    let (rest, last) = text.trim_end().rsplit_once('\n').unwrap();
    assert!(last.contains("end"), "{last}");
    let cut = zstd::encode_all(format!("{rest}\n").as_bytes(), 1).unwrap();
    fs::write(record.join("20231114T221320000Z.flows.zst"), cut).unwrap();
    fs::remove_file(whole).unwrap();
}

#[test]
fn a_run_that_was_killed_is_learned_from_and_written_without_rights() {
    let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/shop.yaml");
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/shop.pcap");
    for is_there in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        killed_run(folder.path());
        if is_there {
            let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
            command.current_dir(folder.path()).args(["learn", "--read", capture, "--inventory", shop, "--system"]);
            assert!(command.output().unwrap().status.success());
        }
        let run = Run::begin(folder.path(), &[], &["learn", "--offline", "--inventory", shop, "--resume"]);
        let (code, told) = run.end();
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("going on with a run of") && !told.contains("/proc/self"), "{told}");
        let policies = folder.path().join("policies");
        let review = fs::read_to_string(policies.join("REVIEW.json")).unwrap();
        assert!(review.contains("policies.record/20231114T221320000Z.2.flows.zst") && !review.contains("/proc/self"), "{review}");
        assert!(tree(&policies).iter().any(|path| path.ends_with("prod/kustomization.yaml")));
        assert!(!policies.join(".netpol-gen").exists());
        if is_root() {
            // What says the same as before is left as it is.
            let written = if is_there { &["REVIEW.md"][..] } else { &["REVIEW.md", "prod/kustomization.yaml"] };
            for path in written {
                assert_eq!(fs::metadata(policies.join(path)).unwrap().uid(), nobody(), "{path}");
            }
        }
    }
}

#[test]
fn nothing_is_captured_before_all_else_is_known_to_be_well() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("file"), "").unwrap();
    let kubeconfig = "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], \
                      clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: a, user: {}}]}";
    fs::write(here.join("config"), kubeconfig).unwrap();
    fs::write(here.join("broken.yaml"), "kind: List\nitems: [").unwrap();
    let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/shop.yaml");
    let known = ["--offline", "--inventory", shop];
    let mut rows: Vec<(&str, Vec<&str>, &str)> = vec![
        ("an argument", vec!["--deny", "no-such-code"], "understand --deny no-such-code"),
        ("the inventory", vec!["--inventory", "broken.yaml"], "broken.yaml"),
        ("the output", [known.as_slice(), &["--output", "file/policies"]].concat(), "write file/policies"),
        ("the record", [known.as_slice(), &["--record", "file"]].concat(), "write file"),
        ("nothing else", known.to_vec(), "find the interface no-such-0"),
    ];
    if cfg!(feature = "cluster") {
        rows.push(("the cluster", vec!["--kubeconfig", "config"], "reach the cluster at http://127.0.0.1:1"));
    }
    for (what, arguments, message) in rows {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
        command.current_dir(here).args(["learn", "--interface", "no-such-0"]).args(arguments);
        let result = command.env_remove("HTTPS_PROXY").env_remove("https_proxy").output().unwrap();
        let told = String::from_utf8(result.stderr).unwrap();
        assert_eq!(result.status.code(), Some(2), "{what}: {told}");
        assert!(told.contains(message) && told.contains("hint: "), "{what}: {told}");
        assert_eq!(tree(here).len(), 3, "{what}: what was made is left: {:?}", tree(here));
    }
}

/// A directory of somebody else's is not taken, whoever runs it.
#[test]
fn a_directory_of_others_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/shop.yaml");
    let output = folder.path().join("etc");
    fs::create_dir(&output).unwrap();
    fs::write(output.join("passwd"), "").unwrap();
    if !is_root() {
        fs::set_permissions(&output, std::os::unix::fs::PermissionsExt::from_mode(0o500)).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    command.current_dir(folder.path()).env_remove("SUDO_UID").args([
        "learn",
        "--offline",
        "--inventory",
        shop,
        "--output",
        "etc",
    ]);
    let result = command.args(["--interface", "no-such-0"]).output().unwrap();
    let told = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(2), "{told}");
    assert!(told.contains("etc") && !told.contains("no-such-0") && told.contains("hint: "), "{told}");
    assert_eq!(fs::metadata(&output).unwrap().uid(), fs::metadata(folder.path()).unwrap().uid());
}
