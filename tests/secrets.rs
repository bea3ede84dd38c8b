//! Secrets that were planted wherever credentials and configurations are read: not one is in anything that is written.
#![cfg(feature = "cluster")]
#![expect(clippy::unwrap_used, reason = "in tests a failed unwrap is the failure to report")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Two halves, so that this file may be read by the tool itself.
const SECRET: &str = concat!("hunter", "2secret");

fn kubeconfig(server: &str, more: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
         clusters: [{{name: a, cluster: {{server: '{server}'{more}}}}}]\nusers: [{{name: a, user: {user}}}]\n"
    )
}

/// A credential plugin that runs this script.
fn plugin(script: &str, mode: &str) -> String {
    let environment = format!("env: [{{name: PASSWORD, value: {SECRET}}}]");
    let api = "apiVersion: client.authentication.k8s.io/v1";
    format!("{{exec: {{{api}, command: sh, args: [-c, '{script}'], {environment}{mode}}}}}")
}

/// Fails the test if the secret is in what a command said or in a file of the directory.
fn hold_back(what: &str, directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-gen"));
    for name in ["KUBECONFIG", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "KUBERNETES_SERVICE_HOST"] {
        command.env_remove(name);
    }
    let command = command.current_dir(directory).env("HOME", directory).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    let result = command.args(arguments).output().unwrap();
    let told = [result.stdout, result.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(!told.contains(SECRET), "{what}: {told}");
    assert!(matches!(result.status.code(), Some(0..=2)), "{what}: {told}");
    told
}

/// Every way in which a kubeconfig can be unusable.
fn kubeconfigs() -> Vec<(&'static str, String)> {
    let (http, https) = ("http://127.0.0.1:1", "https://127.0.0.1:1");
    let of = |user: &str| kubeconfig(http, "", user);
    let tls = |user: &str| kubeconfig(https, "", user);
    let printing = format!("echo {SECRET}; echo {SECRET} >&2");
    vec![
        ("a token", of(&format!("{{token: {SECRET}}}"))),
        ("a token of two lines", of(&format!("{{token: \"{SECRET}\\n\"}}"))),
        ("a password", of(&format!("{{username: me, password: {SECRET}}}"))),
        ("a key that is not in base64", tls(&format!("{{client-certificate-data: aGk=, client-key-data: '{SECRET}!'}}"))),
        ("a key in the place of its file", tls(&format!("{{client-certificate: c, client-key: {SECRET}}}"))),
        ("a certificate in the place of its file", tls(&format!("{{client-certificate: {SECRET}, client-key: k}}"))),
        ("a token in the place of its file", of(&format!("{{tokenFile: {SECRET}}}"))),
        ("a plugin that fails", of(&plugin(&format!("{printing}; exit 3"), ""))),
        ("a plugin that fails and may ask", of(&plugin(&format!("{printing}; exit 3"), ", interactiveMode: Always"))),
        ("a plugin that prints something else", of(&plugin(&printing, ""))),
        ("a plugin that prints an odd credential", of(&plugin(&format!("echo \"{{status: {{token: [{SECRET}]}}}}\""), ""))),
        ("a plugin that is not there", of(&format!("{{exec: {{apiVersion: v1, command: {SECRET}}}}}"))),
        ("a password in the server's URL", kubeconfig(&format!("http://me:{SECRET}@127.0.0.1:1"), "", "{}")),
        ("a password in a broken URL", kubeconfig(&format!("http://me:{SECRET} @127.0.0.1:1"), "", "{}")),
        ("a proxy's password", kubeconfig(http, &format!(", proxy-url: 'http://me:{SECRET}@127.0.0.1:2'"), "{}")),
        ("a password of an odd proxy", kubeconfig(http, &format!(", proxy-url: 'odd://me:{SECRET}@127.0.0.1:2'"), "{}")),
        ("an authority that is none", kubeconfig(https, &format!(", certificate-authority-data: '{SECRET}'"), "{}")),
        ("an older plugin", of(&format!("{{auth-provider: {{name: gcp, config: {{cmd-path: sh, cmd-args: '-c {SECRET}'}}}}}}"))),
        ("an older plugin of an odd name", of(&format!("{{auth-provider: {{name: {SECRET}, config: {{id-token: {SECRET}}}}}}}"))),
        ("a list in the place of a token", of(&format!("{{token: [{SECRET}]}}"))),
        ("a token in the place of a user", of(SECRET)),
        ("a quote that is not closed", of(&format!("{{token: \"{SECRET}}}"))),
        ("a token twice", of(&format!("{{token: {SECRET}, token: {SECRET}}}"))),
        ("a token that looks like an alias", of(&format!("{{token: *{SECRET}}}"))),
        ("a token of another type", of(&format!("{{token: !!int {SECRET}}}"))),
        ("nothing but a token", SECRET.to_owned()),
        ("JSON of another shape", json!({ "users": SECRET }).to_string()),
    ]
}

#[test]
fn no_error_quotes_a_kubeconfig() {
    for (what, text) in kubeconfigs() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config"), text).unwrap();
        let told = hold_back(what, folder.path(), &["inventory", "--kubeconfig", "config", "--output", "cluster.json"]);
        assert!(told.starts_with("error: failed to ") && told.contains("\nhint: "), "{what}: {told}");
        assert!(!folder.path().join("cluster.json").exists(), "{what}");
        if cfg!(feature = "live") {
            let live = ["learn", "--kubeconfig", "config", "--interface", "no-such-0"];
            let told = hold_back(what, folder.path(), &live);
            assert!(told.starts_with("error: failed to ") && !told.contains("no-such-0"), "{what}: {told}");
        }
    }
}

/// The shop's objects, with secrets where people put them.
fn planted() -> Value {
    let text = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/shop.json")).unwrap();
    let mut list: Value = serde_json::from_slice(&text).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    for object in items.iter_mut() {
        let applied = json!({ "spec": SECRET }).to_string();
        object["metadata"]["annotations"] = json!({
            "kubectl.kubernetes.io/last-applied-configuration": applied,
            "prometheus.io/scrape": SECRET,
            "sidecar.istio.io/status": SECRET,
            "note": SECRET,
        });
        object["metadata"]["managedFields"] = json!([{ "manager": SECRET }]);
        for container in object["spec"]["containers"].as_array_mut().into_iter().flatten() {
            container["env"] = json!([{ "name": "PASSWORD", "value": SECRET }]);
            container["args"] = json!([format!("--password={SECRET}")]);
            container["command"] = json!(["serve", SECRET]);
        }
    }
    let metadata = json!({ "name": "db", "namespace": "prod" });
    items.push(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": { "key": SECRET }, "stringData": { "key": SECRET } }));
    items.push(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "key": SECRET } }));
    list
}

#[test]
fn no_result_holds_what_objects_hold_besides() {
    let folder = tempfile::tempdir().unwrap();
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/shop.pcap");
    let inputs = tempfile::tempdir().unwrap();
    let whole = planted().to_string();
    let near = whole.find(SECRET).unwrap();
    let rows = [
        ("as it is", whole.clone(), 0),
        ("cut in a secret", whole[..near + 4].to_owned(), 2),
        ("a quote too many", whole.replacen(SECRET, &format!("{SECRET}\""), 1), 2),
        ("a secret that is no string", whole.replacen(&format!("\"note\":\"{SECRET}\""), &format!("\"note\":{SECRET}"), 1), 0),
    ];
    for (what, text, code) in rows {
        let inventory = inputs.path().join("shop.json");
        fs::write(&inventory, text).unwrap();
        let output = folder.path().join(what);
        let arguments = ["learn", "--read", capture, "--inventory", inventory.to_str().unwrap(), "--candidates", "--quarantine"];
        let told = hold_back(what, folder.path(), &[&arguments[..], &["--output", output.to_str().unwrap()]].concat());
        assert_eq!(output.join("REVIEW.json").exists(), code == 0, "{what}: {told}");
    }
    let files = clean_files("objects", folder.path());
    assert!(files > 10, "{files} files were written");
}

/// Fails the test if the secret is in a file of the directory or its name; returns how many files there are.
fn clean_files(what: &str, directory: &Path) -> usize {
    let mut pending = vec![directory.to_owned()];
    let mut files = 0;
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            assert!(!path.to_string_lossy().contains(SECRET), "{what}: {}", path.display());
            if path.is_dir() {
                pending.push(path);
            } else {
                files += 1;
                let text = fs::read(&path).unwrap();
                assert!(!String::from_utf8_lossy(&text).contains(SECRET), "{what}: {}", path.display());
            }
        }
    }
    files
}

/// Files with a secret that somebody may name by mistake. The secret is a value: keys are named in messages.
fn mistaken() -> Vec<(&'static str, String)> {
    let kubeconfigs = kubeconfigs().into_iter();
    let others = [
        ("a token with a line's end", format!("{SECRET}\n")),
        ("two tokens", format!("{SECRET}\n{SECRET}\n")),
        ("a JSON web token", format!("eyJhbGciOiJSUzI1NiJ9.{SECRET}.c2ln\n")),
        ("a private key", format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n")),
        ("user and password", format!("me:{SECRET}\n")),
        ("a token's setting", format!("token: {SECRET}\n")),
        ("settings of an environment", format!("PASSWORD={SECRET}\nUSER=me\n")),
        ("a netrc", format!("machine a login me password {SECRET}\n")),
        ("a URL", format!("https://me:{SECRET}@example.com/\n")),
        ("a header", format!("Authorization: Bearer {SECRET}\n")),
        ("a JSON string", format!("\"{SECRET}\"")),
        ("a JSON array", format!("[\"{SECRET}\", 1]")),
        ("a list", format!("- {SECRET}\n- [{SECRET}]\n")),
        ("a credential", json!({"kind": "ExecCredential", "status": {"token": SECRET}}).to_string()),
        ("a credential without a kind", json!({"status": {"token": SECRET}}).to_string()),
        ("a long key", format!("{{\"eyJhbGciOiJSUzI1NiJ9.{SECRET}.c2lnbmF0dXJlLW9mLWEtdG9rZW4\": 1}}")),
        ("a sentence for a key", format!("the password is {SECRET}: good\n")),
        ("a Secret", format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a, namespace: b}}\nstringData: {{a: {SECRET}}}\n")),
        ("a Secret of another shape", format!("apiVersion: v1\nkind: Secret\nmetadata: {SECRET}\n")),
        ("a broken Secret", format!("kind: Secret\nmetadata: {{name: a}}\nstringData: {{a: [{SECRET}}}\n")),
        ("an alias", format!("kind: Pod\ntoken: *{SECRET}\n")),
        ("an anchor", format!("&{SECRET} x\n")),
        ("a tag", format!("!{SECRET} x\n")),
        ("a directive", format!("%{SECRET} x\nkind: Pod\n")),
        ("a template", format!("{{{{ {SECRET} }}}}\n")),
        ("broken JSON", format!("{{\"kind\": \"Pod\", \"token\": {SECRET}}}")),
        ("a record of a flow file", format!("{{\"version\": 3, \"token\": \"{SECRET}\"}}\n{SECRET}\n")),
        ("decisions of another shape", format!("version: {SECRET}\naccept: {SECRET}\n")),
        ("decisions that are a text", format!("version: 1\naccept: {SECRET}\n")),
        ("UTF-16", format!("\u{feff}{SECRET}")),
    ];
    kubeconfigs.chain(others).collect()
}

#[test]
fn no_message_quotes_a_file_that_was_named_by_mistake() {
    let captures = concat!(env!("CARGO_MANIFEST_DIR"), "/captures");
    let (capture, inventory) = (format!("{captures}/shop.pcap"), format!("{captures}/shop.yaml"));
    let traffic = ["--read", &capture, "--inventory", &inventory];
    let rows: &[(&str, &[&str])] = &[
        ("learn", &["--read", "file"]),
        ("learn", &["--read", "directory"]),
        ("learn", &["--inventory", "file"]),
        ("learn", &["--inventory", "directory"]),
        ("learn", &["--decisions", "file"]),
        ("learn", &["--templates", "directory"]),
        ("verify", &["--policies", "file"]),
        ("verify", &["--policies", "directory"]),
        ("verify", &["--policies", "policies", "--decisions", "file"]),
        ("plan", &["--policies", "file"]),
        ("explain", &["--policies", "directory", "--from", "10.244.1.10", "--to", "192.0.2.80", "--port", "443"]),
        ("diff", &["file", "policies"]),
        ("diff", &["policies", "directory"]),
        ("inventory", &["--kubeconfig", "file"]),
    ];
    for (what, text) in mistaken() {
        let folder = tempfile::tempdir().unwrap();
        for directory in ["directory", "policies"] {
            fs::create_dir(folder.path().join(directory)).unwrap();
        }
        fs::write(
            folder.path().join("policies/a.yaml"),
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: b}\nspec: {podSelector: {}}\n",
        )
        .unwrap();
        for file in ["file", "directory/a", "directory/a.yaml", "directory/a.json", "directory/policy.yaml.j2"] {
            fs::write(folder.path().join(file), &text).unwrap();
        }
        for (command, arguments) in rows {
            let what = format!("{what}: {command} {}", arguments.join(" "));
            let mut line = vec![*command];
            if matches!(*command, "learn" | "verify" | "plan" | "explain") {
                line.extend(traffic);
            }
            line.extend(*arguments);
            if *command == "diff" {
                line.extend(["--inventory", &inventory]);
            }
            if *command == "learn" || *command == "inventory" {
                line.extend(["--output", "out"]);
            }
            hold_back(&what, folder.path(), &line);
            clean_files(&what, &folder.path().join("out"));
            let _ = fs::remove_dir_all(folder.path().join("out"));
            let _ = fs::remove_file(folder.path().join("out"));
        }
    }
}
