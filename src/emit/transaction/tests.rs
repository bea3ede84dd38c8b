//! Runs that fail or are killed at every step.

use super::*;

/// As this tool writes it, which alone may be taken away again.
const NEW: &str = "# Written by netpol-gen from observed traffic\nkind: Kustomization\n";
const BEFORE: [(&str, &str); 4] =
    [("a/kustomization.yaml", "old"), ("a/gone.yaml", "old"), ("b/gone.yaml", "old"), ("mine", "someone else's")];
const AFTER: [(&str, &str); 4] = [
    ("a/kustomization.yaml", NEW),
    ("a/default-deny/kustomization.yaml", NEW),
    ("c/default-deny/kustomization.yaml", NEW),
    ("mine", "someone else's"),
];

fn directory_before() -> tempfile::TempDir {
    let temporary = tempfile::tempdir().expect("temporary directory");
    for (path, text) in BEFORE {
        let path = temporary.path().join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("makes");
        fs::write(path, text).expect("writes");
    }
    temporary
}

fn taken(directory: &Path) -> DirectoryLock {
    DirectoryLock::take(directory).expect("the lock")
}

fn prepared(lock: &DirectoryLock) -> Transaction<'_> {
    let mut transaction = Transaction::begin(lock).expect("begins");
    for path in ["a/kustomization.yaml", "a/default-deny/kustomization.yaml", "c/default-deny/kustomization.yaml"] {
        transaction.write(path, NEW).expect("prepares");
    }
    for path in ["a/gone.yaml", "b/gone.yaml"] {
        transaction.remove(path).expect("prepares");
    }
    transaction
}

/// All that there is, directories with a `/`.
fn tree(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(inner) = pending.pop() {
        for entry in fs::read_dir(&inner).expect("lists") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(directory).expect("below").display().to_string();
            if path.is_dir() {
                found.push((format!("{name}/"), String::new()));
                pending.push(path);
            } else {
                found.push((name, fs::read_to_string(path).expect("reads")));
            }
        }
    }
    found.sort();
    found
}

fn with_directories(files: &[(&str, &str)], directories: &[&str]) -> Vec<(String, String)> {
    let directories = directories.iter().map(|name| (format!("{name}/"), String::new()));
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let mut all: Vec<_> = files.chain(directories).collect();
    all.sort();
    all
}

/// As if the process had been killed: nothing is cleaned up. The lock is free when the caller drops it.
fn kill(transaction: Transaction<'_>) {
    std::mem::forget(transaction);
}

#[test]
fn all_is_done() {
    let temporary = directory_before();
    prepared(&taken(temporary.path())).commit().expect("commits");
    assert_eq!(tree(temporary.path()), with_directories(&AFTER, &["a", "a/default-deny", "c", "c/default-deny"]));
}

#[test]
fn what_is_not_committed_leaves_nothing() {
    let temporary = directory_before();
    let before = tree(temporary.path());
    drop(prepared(&taken(temporary.path())));
    assert_eq!(tree(temporary.path()), before);
    let missing = temporary.path().join("x/y");
    drop(Transaction::begin(&taken(&missing)).expect("begins"));
    assert_eq!(tree(temporary.path()), before, "nor the directories made for it");
}

#[test]
fn a_run_killed_at_any_step_is_undone() {
    let steps = 5;
    for killed_at in 0..=steps {
        let temporary = directory_before();
        let before = tree(temporary.path());
        let lock = taken(temporary.path());
        let transaction = prepared(&lock);
        assert_eq!(transaction.steps.len(), steps);
        transaction.write_journal().expect("writes");
        for position in 0..killed_at {
            transaction.apply(position).expect("applies");
        }
        kill(transaction);
        drop(lock);
        // Killed once more, in the middle of the undoing: it is begun anew.
        assert_eq!(half_written(&temporary.path().join("a")), temporary.path().canonicalize().ok(), "killed after {killed_at}");
        let half = journal::read(temporary.path()).expect("reads").expect("a journal");
        undo(temporary.path(), &half[..2]).expect("undoes");
        DirectoryLock::take(temporary.path()).expect("recovers");
        assert_eq!(tree(temporary.path()), before, "killed after {killed_at} steps");
        assert_eq!(half_written(temporary.path()), None, "killed after {killed_at} steps");
    }
}

#[test]
fn a_run_killed_before_or_after_all_steps_is_only_cleaned_up() {
    let temporary = directory_before();
    let before = tree(temporary.path());
    kill(prepared(&taken(temporary.path())));
    DirectoryLock::take(temporary.path()).expect("recovers");
    assert_eq!(tree(temporary.path()), before, "no journal yet");

    let lock = taken(temporary.path());
    let transaction = prepared(&lock);
    (0..5).for_each(|position| transaction.apply(position).expect("applies"));
    kill(transaction);
    drop(lock);
    DirectoryLock::take(temporary.path()).expect("recovers");
    assert_eq!(
        tree(temporary.path()),
        with_directories(&AFTER, &["a", "a/default-deny", "b", "c", "c/default-deny"]),
        "no journal any more"
    );
}

/// A directory that has become a file stands for one that is no longer writable: not even root writes into it.
#[test]
fn a_step_that_fails_takes_the_others_back() {
    let temporary = directory_before();
    let lock = taken(temporary.path());
    let transaction = prepared(&lock);
    fs::write(temporary.path().join("c"), "in the way").expect("writes");
    let before = tree(temporary.path());
    let without = |tree: &[(String, String)]| -> Vec<_> {
        tree.iter().filter(|(name, _)| !name.starts_with(".netpol-gen")).cloned().collect()
    };
    let refused = transaction.commit().expect_err("fails");
    assert!(
        matches!(&refused, EmitError::Unwritable { path, .. } if path.ends_with("c/default-deny/kustomization.yaml")),
        "{refused}"
    );
    assert_eq!(tree(temporary.path()), without(&before));
}

#[test]
fn what_has_come_since_is_not_taken_away() {
    let temporary = directory_before();
    let lock = taken(temporary.path());
    let transaction = prepared(&lock);
    transaction.write_journal().expect("writes");
    kill(transaction);
    drop(lock);
    fs::create_dir(temporary.path().join("a/default-deny")).expect("makes");
    let path = temporary.path().join("a/default-deny/kustomization.yaml");
    fs::write(&path, "mine").expect("writes");
    DirectoryLock::take(temporary.path()).expect("recovers");
    assert_eq!(fs::read_to_string(path).expect("reads"), "mine");
}

#[test]
fn two_runs_at_a_time_are_refused() {
    let temporary = directory_before();
    let lock = taken(temporary.path());
    let is_refused = || matches!(DirectoryLock::take(temporary.path()), Err(EmitError::Busy { .. }));
    assert!(is_refused(), "from before anything is planned");
    let running = prepared(&lock);
    assert!(is_refused());
    running.commit().expect("commits");
    assert!(is_refused(), "to the end");
    drop(lock);
    DirectoryLock::take(temporary.path()).expect("there is nothing");
}

/// A journal that somebody else wrote into the directory `a` of a tree with someone's files inside and outside of it.
#[cfg(unix)]
fn planted(text: &str) -> (tempfile::TempDir, Vec<(String, String)>) {
    let temporary = directory_before();
    let inner = temporary.path().join("a");
    fs::create_dir_all(inner.join(".netpol-gen")).expect("makes");
    fs::create_dir(inner.join("prod")).expect("makes");
    std::os::unix::fs::symlink(temporary.path(), inner.join("link")).expect("links");
    fs::write(temporary.path().join("victim.yaml"), "safe").expect("writes");
    fs::write(inner.join("prod/mine.yaml"), "safe").expect("writes");
    fs::write(inner.join("notes.yaml"), "safe").expect("writes");
    fs::write(inner.join(".netpol-gen/0.old"), "harm").expect("writes");
    fs::write(inner.join(".netpol-gen/journal.json"), text).expect("writes");
    let files = tree(&temporary.path().join("a/prod"));
    (temporary, files)
}

#[cfg(unix)]
#[test]
fn a_journal_is_believed_only_if_it_is_the_tools_own_and_names_its_files() {
    let step = |path: &str, was_there: bool| Step { path: path.into(), is_written: true, was_there };
    let text = |steps: &[Step]| String::from_utf8(journal::text(steps).expect("JSON")).expect("text");
    let own = text(&[step("prod/kustomization.yaml", false)]);
    let rows = [
        ("upwards", text(&[step("../victim.yaml", false)]), "elsewhere"),
        ("from the root", text(&[step("/etc/victim.yaml", false)]), "elsewhere"),
        ("through a link", text(&[step("link/victim.yaml", false)]), "elsewhere"),
        ("here", text(&[step("", false)]), "elsewhere"),
        ("a file that no run writes", text(&[step("notes.yaml", false)]), "never writes"),
        ("someone's file, to be removed", text(&[step("prod/mine.yaml", false)]), "did not write"),
        ("someone's file, to be replaced", text(&[step("prod/mine.yaml", true)]), "did not write"),
        ("one file twice", text(&[step("prod/kustomization.yaml", false), step("prod/kustomization.yaml", false)]), "twice"),
        ("another tool", own.replace("netpol-gen", "other"), "no journal of this tool"),
        ("another version", own.replace("\"version\":1", "\"version\":2"), "no journal of this tool"),
        ("more than it says", own.replace("\"version\"", "\"more\":1,\"version\""), "no journal of this tool"),
        ("a list", serde_json::to_string(&[step("prod/kustomization.yaml", false)]).expect("JSON"), "no journal of this tool"),
        ("half a journal", own[..own.len() / 2].to_owned(), "no journal of this tool"),
        ("nothing", String::new(), "no journal of this tool"),
    ];
    for (what, text, message) in rows {
        let (temporary, before) = planted(&text);
        let refused = DirectoryLock::take(&temporary.path().join("a")).expect_err(what);
        assert!(matches!(refused, EmitError::BadJournal { .. }), "{what}: {refused}");
        assert!(refused.to_string().contains(message), "{what}: {refused}");
        for path in ["victim.yaml", "a/notes.yaml", "a/prod/mine.yaml"] {
            assert_eq!(fs::read_to_string(temporary.path().join(path)).expect("reads"), "safe", "{what}: {path}");
        }
        assert_eq!(tree(&temporary.path().join("a/prod")), before, "{what}");
    }
    let (temporary, _) = planted(&own);
    let journal = File::options().write(true).open(temporary.path().join("a/.netpol-gen/journal.json")).expect("opens");
    journal.set_len(1 << 40).expect("grows");
    let refused = DirectoryLock::take(&temporary.path().join("a")).expect_err("a journal without end");
    assert!(matches!(refused, EmitError::BadJournal { .. }), "a journal without end: {refused}");
    // The same as the rows, but believed: else they would prove nothing.
    let (temporary, _) = planted(&own);
    DirectoryLock::take(&temporary.path().join("a")).expect("an own journal");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_in_the_place_of_the_tools_own_is_an_error_and_no_wait() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    type Put<'a> = &'a dyn Fn(&Path);
    let pipe = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo");
        assert!(made.success(), "{}", path.display());
    };
    let socket = |path: &Path| drop(UnixListener::bind(path).expect("a socket"));
    let link = |path: &Path| symlink("/dev/zero", path).expect("links");
    let kinds: [(&str, Put<'_>); 3] = [("a pipe", &pipe), ("a socket", &socket), ("a link to a device", &link)];
    for (kind, put) in kinds {
        for place in ["journal.json", "0.new", "0.old"] {
            let (temporary, _) = planted(
                &String::from_utf8(
                    journal::text(&[Step { path: "prod/kustomization.yaml".into(), is_written: true, was_there: false }])
                        .expect("JSON"),
                )
                .expect("text"),
            );
            let path = temporary.path().join("a/.netpol-gen").join(place);
            let _ = fs::remove_file(&path);
            put(&path);
            let refused = DirectoryLock::take(&temporary.path().join("a")).expect_err(place);
            assert!(matches!(&refused, EmitError::OddFile { path: named, .. } if *named == path), "{kind} as {place}: {refused}");
        }
    }
}

#[cfg(unix)]
#[test]
fn files_have_the_permissions_of_any_other() {
    use std::os::unix::fs::PermissionsExt as _;
    let temporary = tempfile::tempdir().expect("temporary directory");
    let mode = |name: &str| fs::metadata(temporary.path().join(name)).expect("is there").permissions().mode() & 0o777;
    fs::write(temporary.path().join("plain"), "").expect("writes");
    fs::write(temporary.path().join("kept"), "").expect("writes");
    fs::set_permissions(temporary.path().join("kept"), fs::Permissions::from_mode(0o640)).expect("sets");
    let lock = taken(temporary.path());
    let mut transaction = Transaction::begin(&lock).expect("begins");
    transaction.write("new", NEW).expect("prepares");
    transaction.write("kept", NEW).expect("prepares");
    transaction.commit().expect("commits");
    assert_eq!((mode("new"), mode("kept")), (mode("plain"), 0o640));
}
