use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use super::samples;
use crate::model::Explained;
use crate::output::sink::{Options, Output, Written, survey, write};
use crate::output::{EmitError, Scope, Summary, Templates};
use crate::review::Reasons;

fn run(directory: &Path, policies: &[Explained], scope: Scope, options: Options) -> Result<Written, EmitError> {
    let mut summary = Summary::default();
    summary.set_policies(policies);
    let output = Output {
        policies,
        quarantined: &[],
        reasons: &Reasons::new(),
        summary: &summary,
        candidates: &[],
        threads: NonZeroUsize::MIN,
    };
    write(directory, output, scope, &Templates::embedded().expect("parses"), options)
}

fn all(directory: &Path, policies: &[Explained]) -> Written {
    run(directory, policies, Scope::Everything, Options::default()).expect("writes")
}

fn only(namespace: &str) -> Scope {
    Scope::Namespaces(BTreeSet::from([namespace.to_owned()]))
}

/// All files below a directory, relative, with their texts.
fn tree(directory: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(inner) = pending.pop() {
        for entry in fs::read_dir(inner).expect("lists") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("below").display().to_string();
                files.push((name, fs::read_to_string(path).expect("reads")));
            }
        }
    }
    files.sort();
    files
}

fn names(directory: &Path) -> Vec<String> {
    tree(directory).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_layout_and_a_second_run() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let output = temporary.path().join("new/policies");
    let policies = [samples::shop("dev"), vec![samples::default_deny("idle")]].concat();
    assert_eq!(all(&output, &policies), Written { written: 12, unchanged: 0, removed: 0 });
    let expected = [
        "REVIEW.json",
        "REVIEW.md",
        "_default-deny/kustomization.yaml",
        "dev/allow-allpods-to-dns.yaml",
        "dev/allow-ingress-to-db.yaml",
        "dev/allow-internet-to-web.yaml",
        "dev/default-deny/default-deny-all.yaml",
        "dev/default-deny/kustomization.yaml",
        "dev/kustomization.yaml",
        "idle/default-deny/default-deny-all.yaml",
        "idle/default-deny/kustomization.yaml",
        "kustomization.yaml",
    ];
    assert_eq!(names(&output), expected);
    let before = tree(&output);
    assert!(before[11].1.ends_with("resources:\n- dev\n"), "{}", before[11].1);
    assert!(before[2].1.ends_with("resources:\n- ../dev/default-deny\n- ../idle/default-deny\n"), "{}", before[2].1);
    assert_eq!(all(&output, &policies), Written { written: 0, unchanged: 12, removed: 0 });
    assert_eq!(tree(&output), before);
}

#[test]
fn the_same_policy_with_other_evidence_is_left_alone() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let output = temporary.path();
    all(output, &samples::shop("prod"));
    let path = output.join("prod/allow-ingress-to-db.yaml");
    let (before, time) =
        (fs::read(&path).expect("reads"), fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("time"));
    let mut policies = samples::shop("prod");
    for evidence in policies[1].grounds.values_mut().flat_map(|grounds| grounds.values_mut()) {
        evidence.connections = 99;
    }
    all(output, &policies);
    assert_eq!(fs::read(&path).expect("reads"), before);
    assert_eq!(fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("time"), time);

    let refresh = Options { refresh_evidence: true, ..Options::default() };
    run(output, &policies, Scope::Everything, refresh).expect("writes");
    assert!(fs::read_to_string(&path).expect("reads").contains("99 connections"));
}

/// Text editors, licence checkers and people put lines on top.
#[test]
fn comments_of_people_survive_while_nothing_changes() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let output = temporary.path();
    let policies = samples::shop("prod");
    all(output, &policies);
    // JSON takes none.
    for (name, text) in tree(output).into_iter().filter(|(name, _)| name != "REVIEW.json") {
        let comment = if name == "REVIEW.md" { "<!-- read by Ann ✔\u{fe0f} -->" } else { "# read by Ann ✔\u{fe0f}" };
        fs::write(output.join(name), format!("{comment}\n{text}")).expect("writes");
    }
    let commented = tree(output);
    assert_eq!(all(output, &policies), Written { written: 0, unchanged: 10, removed: 0 });
    assert_eq!(tree(output), commented);

    // What has changed is replaced, what is stale is removed: the files are still known.
    let done = all(output, &policies[..3]);
    assert_eq!((done.removed, done.unchanged), (3, 5), "{done:?}");
    let refresh = Options { refresh_evidence: true, ..Options::default() };
    run(output, &policies[..3], Scope::Everything, refresh).expect("writes");
    assert!(tree(output).iter().all(|(_, text)| !text.contains("Ann")));
}

#[test]
fn a_run_that_was_killed_is_undone_by_the_next() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let output = temporary.path();
    let policies = samples::shop("prod");
    all(output, &policies);
    let before = tree(output);
    let workspace = output.join(".netpol-gen");
    fs::create_dir(&workspace).expect("makes");
    let path = "prod/allow-ingress-to-db.yaml";
    let next = fs::read_to_string(output.join(path)).expect("reads").replace("port: 3306", "port: 3307");
    fs::rename(output.join(path), workspace.join("0.old")).expect("renames");
    fs::write(output.join(path), next).expect("writes");
    let step = format!(r#"{{"path": "{path}", "is_written": true, "was_there": true}}"#);
    let journal = format!(r#"{{"tool": "netpol-gen", "version": 1, "steps": [{step}]}}"#);
    fs::write(workspace.join("journal.json"), journal).expect("writes");
    assert_eq!(all(output, &policies), Written { written: 0, unchanged: 10, removed: 0 });
    assert_eq!(tree(output), before);
}

#[test]
fn a_changed_policy_is_replaced_and_a_stale_one_removed() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let output = temporary.path();
    all(output, &samples::shop("prod"));
    let path = output.join("prod/allow-ingress-to-db.yaml");
    let widened = fs::read_to_string(&path).expect("reads").replace("port: 3306", "port: 3307");
    fs::write(&path, widened).expect("writes");
    fs::write(output.join("prod/mine.yaml"), "a: b\n").expect("writes");
    let mut policies = samples::shop("prod");
    policies.retain(|explained| explained.policy.name != "allow-allpods-to-dns" && explained.policy.name != "default-deny-all");
    // The changed policy, prod's and the top's kustomizations, the review; the default deny's directories go.
    let done = all(output, &policies);
    assert_eq!(done.removed, 4, "{done:?}");
    assert!(fs::read_to_string(&path).expect("reads").contains("port: 3306"));
    let expected = [
        "REVIEW.json",
        "REVIEW.md",
        "kustomization.yaml",
        "prod/allow-ingress-to-db.yaml",
        "prod/allow-internet-to-web.yaml",
        "prod/kustomization.yaml",
        "prod/mine.yaml",
    ];
    assert_eq!(names(output), expected);
    assert!(!output.join("prod/default-deny").exists() && !output.join("_default-deny").exists());
}

#[test]
fn a_namespace_that_is_gone_goes_and_its_directory_too() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let output = temporary.path();
    all(output, &[samples::shop("dev"), samples::shop("prod")].concat());
    all(output, &samples::shop("prod"));
    assert!(!output.join("dev").exists());
}

#[test]
fn a_partial_run_speaks_for_its_namespaces_only() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let output = temporary.path();
    all(output, &[samples::shop("dev"), samples::shop("prod")].concat());
    let dev: Vec<_> = tree(output).into_iter().filter(|(name, _)| name.starts_with("dev/")).collect();
    let done = run(output, &[samples::dns("prod")], only("prod"), Options::default()).expect("writes");
    assert_eq!(done.removed, 4, "{done:?}");
    let after = tree(output);
    assert_eq!(after.iter().filter(|(name, _)| name.starts_with("dev/")).cloned().collect::<Vec<_>>(), dev);
    let text = |name: &str| after.iter().find(|(path, _)| path == name).map(|(_, text)| text.as_str()).expect("is there");
    assert!(text("kustomization.yaml").ends_with("resources:\n- dev\n- prod\n"));
    assert!(text("_default-deny/kustomization.yaml").ends_with("resources:\n- ../dev/default-deny\n"));
}

#[test]
fn files_of_someone_else_are_protected() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let output = temporary.path();
    fs::create_dir_all(output.join("prod")).expect("makes");
    let foreign = ["REVIEW.json", "REVIEW.md", "kustomization.yaml", "prod/allow-ingress-to-db.yaml"];
    for name in foreign {
        fs::write(output.join(name), "mine\n").expect("writes");
    }
    let before = tree(output);
    let refused = run(output, &samples::shop("prod"), Scope::Everything, Options::default()).expect_err("refuses");
    let EmitError::Foreign { paths } = &refused else { panic!("{refused}") };
    assert_eq!(
        paths.iter().map(|path| path.strip_prefix(output).expect("below").display().to_string()).collect::<Vec<_>>(),
        foreign
    );
    assert!(refused.hint().contains("--force"));
    assert_eq!(tree(output), before, "nothing was written");

    let done =
        run(output, &samples::shop("prod"), Scope::Everything, Options { force: true, ..Options::default() }).expect("writes");
    assert_eq!(done, Written { written: 10, unchanged: 0, removed: 0 });
}

#[test]
fn someone_elses_files_are_never_removed() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let output = temporary.path();
    all(output, &samples::shop("prod"));
    // The marker alone does not make it the tool's: someone began with a copy.
    let path = output.join("prod/allow-allpods-to-dns.yaml");
    let taken = fs::read_to_string(&path).expect("reads").replace("managed-by: netpol-gen", "managed-by: us");
    fs::write(&path, &taken).expect("writes");
    let force = Options { force: true, ..Options::default() };
    run(output, &[samples::ingress_to_db("prod")], Scope::Everything, force).expect("writes");
    assert_eq!(fs::read_to_string(&path).expect("reads"), taken);
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_links() {
    for link in ["prod", "prod/default-deny", "prod/kustomization.yaml", "_default-deny"] {
        let temporary = tempfile::tempdir().expect("temporary directory");
        let (output, elsewhere) = (temporary.path().join("policies"), temporary.path().join("elsewhere"));
        fs::create_dir_all(&elsewhere).expect("makes");
        fs::create_dir_all(output.join(link).parent().expect("parent")).expect("makes");
        std::os::unix::fs::symlink(&elsewhere, output.join(link)).expect("links");
        let refused = run(&output, &samples::shop("prod"), Scope::Everything, Options::default()).expect_err(link);
        assert!(matches!(refused, EmitError::OddFile { what: "a symbolic link", .. }), "{link}: {refused}");
        assert_eq!(tree(&elsewhere), []);
    }
}

#[cfg(unix)]
#[test]
fn someone_elses_links_are_in_nobodys_way() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let (output, elsewhere) = (temporary.path().join("policies"), temporary.path().join("elsewhere"));
    all(&elsewhere, &samples::shop("other"));
    let before = tree(&elsewhere);
    fs::create_dir_all(output.join("mine")).expect("makes");
    std::os::unix::fs::symlink(elsewhere.join("other"), output.join("other")).expect("links");
    std::os::unix::fs::symlink(elsewhere.join("kustomization.yaml"), output.join("mine/kustomization.yaml")).expect("links");
    std::os::unix::fs::symlink(elsewhere.join("_default-deny"), output.join("_default-deny")).expect("links");
    let done = run(&output, &[samples::dns("prod")], Scope::Everything, Options::default()).expect("writes");
    assert_eq!(done, Written { written: 5, unchanged: 0, removed: 0 });
    assert_eq!(tree(&elsewhere), before);
}

#[test]
fn names_that_are_no_names_never_become_paths() {
    for (namespace, name) in [
        ("..", "a"),
        ("", "a"),
        ("a/b", "a"),
        ("_default-deny", "a"),
        ("A", "a"),
        ("-a", "a"),
        ("a.b", "a"),
        ("prod", ".."),
        ("prod", "../a"),
        ("prod", "/etc/a"),
        ("prod", "a\n"),
        ("prod", ""),
        ("prod", "kustomization"),
        ("prod", &"a".repeat(251)),
        (&"a".repeat(64), "a"),
    ] {
        let temporary = tempfile::tempdir().expect("temporary directory");
        let mut explained = samples::default_deny(namespace);
        explained.policy.name = name.into();
        let refused = run(&temporary.path().join("x"), &[explained], Scope::Everything, Options::default()).expect_err(name);
        assert!(matches!(refused, EmitError::BadName { .. }), "{namespace:?} {name:?}: {refused}");
        assert!(!temporary.path().join("x").exists(), "{namespace:?} {name:?}");
    }
}

#[test]
fn two_policies_of_one_name_are_refused() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let mut other = samples::ingress_to_db("prod");
    other.policy.name = "default-deny-all".into();
    let refused = run(temporary.path(), &[samples::default_deny("prod"), other], Scope::Everything, Options::default());
    assert!(matches!(refused, Err(EmitError::DuplicateName { .. })), "{refused:?}");
}

#[test]
fn an_output_that_is_a_file_is_refused() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let path = temporary.path().join("file");
    fs::write(&path, "").expect("writes");
    let refused = run(&path, &samples::shop("prod"), Scope::Everything, Options::default());
    assert!(matches!(refused, Err(EmitError::OddFile { what: "a file", .. })), "{refused:?}");
    fs::write(temporary.path().join("prod"), "").expect("writes");
    let refused = run(temporary.path(), &samples::shop("prod"), Scope::Everything, Options::default());
    assert!(matches!(refused, Err(EmitError::OddFile { what: "a file", .. })), "{refused:?}");
}

/// Not even root makes directories in /proc.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_says_so() {
    let refused = run(Path::new("/proc/netpol-gen"), &samples::shop("prod"), Scope::Everything, Options::default());
    let refused = refused.expect_err("not writable");
    assert!(matches!(&refused, EmitError::Unwritable { path, .. } if path.ends_with("netpol-gen")), "{refused}");
    assert!(refused.hint().contains("--output"));
}

#[test]
fn nothing_is_found_where_there_is_nothing() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    assert_eq!(survey(&temporary.path().join("none")).expect("reads"), crate::output::layout::Existing::default());
}

fn with_quarantine(
    directory: &Path,
    policies: &[Explained],
    quarantined: &[Explained],
    scope: Scope,
) -> Result<Written, EmitError> {
    let mut summary = Summary::default();
    summary.set_policies(policies);
    let reasons = Reasons::new();
    let output =
        Output { policies, quarantined, reasons: &reasons, summary: &summary, candidates: &[], threads: NonZeroUsize::MIN };
    write(directory, output, scope, &Templates::embedded().expect("parses"), Options::default())
}

#[test]
fn what_is_in_quarantine_is_named_by_no_kustomization_and_goes_when_it_is_accepted() {
    let temporary = tempfile::tempdir().expect("temporary directory");
    let output = temporary.path();
    let quarantined = |name: &str, namespace: &str| {
        let mut explained = samples::ingress_to_db(namespace);
        explained.policy.name = name.into();
        explained
    };
    let all = [samples::shop("prod"), samples::shop("dev")].concat();
    let apart = [quarantined("quarantined-a", "prod"), quarantined("quarantined-b", "prod"), quarantined("quarantined-c", "dev")];
    let done = with_quarantine(output, &all, &apart, Scope::Everything).expect("writes");
    assert_eq!(done.removed, 0);
    let found = |part: &str| names(output).into_iter().filter(|name| name.contains(part)).collect::<Vec<_>>();
    let paths =
        ["dev/_quarantine/quarantined-c.yaml", "prod/_quarantine/quarantined-a.yaml", "prod/_quarantine/quarantined-b.yaml"];
    assert_eq!(found("quarantine"), paths);
    for (name, text) in tree(output) {
        assert!(!name.ends_with("kustomization.yaml") || !text.contains("quarantine"), "{name}: {text}");
    }

    // One of prod has been accepted, one somebody made their own, and the run does not speak of dev.
    let own = output.join(paths[1]);
    let changed = fs::read_to_string(&own).expect("reads").replace("managed-by: netpol-gen", "managed-by: ann");
    fs::write(&own, &changed).expect("writes");
    let done = with_quarantine(output, &samples::shop("prod"), &[], only("prod")).expect("writes");
    assert_eq!((done.removed, found("quarantine")), (1, vec![paths[0].to_owned(), paths[1].to_owned()]));
    assert_eq!(fs::read_to_string(&own).expect("reads"), changed);
    let refused = with_quarantine(output, &all, &apart, Scope::Everything);
    assert!(matches!(&refused, Err(EmitError::Foreign { paths }) if paths == &[own]), "{refused:?}");

    let done = with_quarantine(output, &all, &[], Scope::Everything).expect("writes");
    assert_eq!((done.removed, found("quarantine")), (1, vec![paths[1].to_owned()]));
    let twice = [apart[0].clone(), apart[0].clone()];
    let refused = with_quarantine(output, &all, &twice, Scope::Everything);
    assert!(matches!(refused, Err(EmitError::DuplicateName { .. })), "{refused:?}");
}
