//! Runs that fail or are killed at every step.

use super::*;

const BEFORE: [(&str, &str); 4] = [("a/changed", "old"), ("a/gone", "old"), ("b/gone", "old"), ("mine", "someone else's")];
const AFTER: [(&str, &str); 4] = [("a/changed", "new"), ("a/new", "new"), ("c/d/new", "new"), ("mine", "someone else's")];

fn directory_before() -> tempfile::TempDir {
    let temporary = tempfile::tempdir().expect("temporary directory");
    for (path, text) in BEFORE {
        let path = temporary.path().join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("makes");
        fs::write(path, text).expect("writes");
    }
    temporary
}

fn prepared(directory: &Path) -> Transaction {
    let mut transaction = Transaction::begin(directory).expect("begins");
    for path in ["a/changed", "a/new", "c/d/new"] {
        transaction.write(path, "new").expect("prepares");
    }
    for path in ["a/gone", "b/gone"] {
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

/// As if the process had been killed: nothing is cleaned up, and the lock is free.
fn kill(transaction: Transaction) {
    let transaction = std::mem::ManuallyDrop::new(transaction);
    transaction.lock.unlock().expect("unlocks");
}

#[test]
fn all_is_done() {
    let temporary = directory_before();
    prepared(temporary.path()).commit().expect("commits");
    assert_eq!(tree(temporary.path()), with_directories(&AFTER, &["a", "c", "c/d"]));
}

#[test]
fn what_is_not_committed_leaves_nothing() {
    let temporary = directory_before();
    let before = tree(temporary.path());
    drop(prepared(temporary.path()));
    assert_eq!(tree(temporary.path()), before);
    let missing = temporary.path().join("x/y");
    drop(Transaction::begin(&missing).expect("begins"));
    assert_eq!(tree(temporary.path()), before, "nor the directories made for it");
}

#[test]
fn a_run_killed_at_any_step_is_undone() {
    let steps = 5;
    for killed_at in 0..=steps {
        let temporary = directory_before();
        let before = tree(temporary.path());
        let transaction = prepared(temporary.path());
        assert_eq!(transaction.steps.len(), steps);
        transaction.write_journal().expect("writes");
        for position in 0..killed_at {
            transaction.apply(position).expect("applies");
        }
        kill(transaction);
        // Killed once more, in the middle of the undoing: it is begun anew.
        let half: Vec<Step> =
            serde_json::from_slice(&fs::read(temporary.path().join(".netpol-gen/journal.json")).expect("reads"))
                .expect("a journal");
        undo(temporary.path(), &half[..2]).expect("undoes");
        recover(temporary.path()).expect("recovers");
        assert_eq!(tree(temporary.path()), before, "killed after {killed_at} steps");
    }
}

#[test]
fn a_run_killed_before_or_after_all_steps_is_only_cleaned_up() {
    let temporary = directory_before();
    let before = tree(temporary.path());
    kill(prepared(temporary.path()));
    recover(temporary.path()).expect("recovers");
    assert_eq!(tree(temporary.path()), before, "no journal yet");

    let transaction = prepared(temporary.path());
    (0..5).for_each(|position| transaction.apply(position).expect("applies"));
    kill(transaction);
    recover(temporary.path()).expect("recovers");
    assert_eq!(tree(temporary.path()), with_directories(&AFTER, &["a", "b", "c", "c/d"]), "no journal any more");
}

/// A directory that has become a file stands for one that is no longer writable: not even root writes into it.
#[test]
fn a_step_that_fails_takes_the_others_back() {
    let temporary = directory_before();
    let transaction = prepared(temporary.path());
    fs::write(temporary.path().join("c"), "in the way").expect("writes");
    let before = tree(temporary.path());
    let without = |tree: &[(String, String)]| -> Vec<_> {
        tree.iter().filter(|(name, _)| !name.starts_with(".netpol-gen")).cloned().collect()
    };
    let refused = transaction.commit().expect_err("fails");
    assert!(matches!(&refused, EmitError::Unwritable { path, .. } if path.ends_with("c/d/new")), "{refused}");
    assert_eq!(tree(temporary.path()), without(&before));
}

#[test]
fn what_has_come_since_is_not_taken_away() {
    let temporary = directory_before();
    let transaction = prepared(temporary.path());
    transaction.write_journal().expect("writes");
    kill(transaction);
    fs::write(temporary.path().join("a/new"), "mine").expect("writes");
    recover(temporary.path()).expect("recovers");
    assert_eq!(fs::read_to_string(temporary.path().join("a/new")).expect("reads"), "mine");
}

#[test]
fn two_runs_at_a_time_are_refused() {
    let temporary = directory_before();
    let running = prepared(temporary.path());
    assert!(matches!(recover(temporary.path()), Err(EmitError::Busy { .. })));
    assert!(matches!(Transaction::begin(temporary.path()), Err(EmitError::Busy { .. })));
    running.commit().expect("commits");
    recover(temporary.path()).expect("there is nothing");
}

#[test]
fn a_journal_leads_nowhere_else() {
    for (path, what) in
        [("../victim", "upwards"), ("/etc/victim", "from the root"), ("link/victim", "through a link"), ("", "here")]
    {
        let temporary = directory_before();
        let inner = temporary.path().join("a");
        let workspace = inner.join(".netpol-gen");
        fs::create_dir(&workspace).expect("makes");
        #[cfg(unix)]
        std::os::unix::fs::symlink(temporary.path(), inner.join("link")).expect("links");
        fs::write(temporary.path().join("victim"), "safe").expect("writes");
        let steps = [Step { path: path.into(), is_written: true, was_there: false }];
        fs::write(workspace.join("journal.json"), serde_json::to_vec(&steps).expect("JSON")).expect("writes");
        let refused = recover(&inner).expect_err(what);
        assert!(matches!(refused, EmitError::BadJournal { .. }), "{what}: {refused}");
        assert_eq!(fs::read_to_string(temporary.path().join("victim")).expect("reads"), "safe", "{what}");
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
    let mut transaction = Transaction::begin(temporary.path()).expect("begins");
    transaction.write("new", "new").expect("prepares");
    transaction.write("kept", "new").expect("prepares");
    transaction.commit().expect("commits");
    assert_eq!((mode("new"), mode("kept")), (mode("plain"), 0o640));
}
