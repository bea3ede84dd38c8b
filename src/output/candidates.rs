//! Candidates as a file of comments: nothing in it is active, whoever applies it.
//!
//! A caller that is not known stands there as the value `?`, which no label can have: who takes a candidate without naming the
//! caller is refused by the API server, and opens nothing. Candidates do not bear the tool's label, so a copy that was made a policy
//! is its maker's, and no later run removes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::num::NonZeroU16;

use serde_json::{Value, json};

use crate::coverage::{Caller, Candidate};
use crate::model::{Class, NonEmpty, Peer, PodSelector, Policy, PolicyPort, Requirement, Rule, Rules};

use super::manifest;
use super::template::YAML_MARKER;
use super::text::one_line;
use super::yaml::scalar;

/// What stands for a caller that is not known.
const OPEN: &str = "?";
/// The longest line of a comment.
const WIDTH: usize = 240;

/// The file of a namespace; all of these candidates are of it.
#[must_use]
pub fn text(namespace: &str, candidates: &[&Candidate]) -> String {
    let mut text = format!("{YAML_MARKER}; overwritten by the next run.\n");
    text.push_str(
        "# Candidates: calls that objects of the cluster speak of and nobody was seen to make. All lines are comments, and no\n\
         # kustomization names this file. To take one, copy it to a file of your own, take the comment signs away and put the labels\n\
         # of the caller where there is a \"?\"; as long as it is there, the API server refuses the policy.\n",
    );
    for candidate in candidates {
        text.push_str("#\n");
        let line = |text: &mut String, line: &str| {
            let _ = writeln!(text, "# # {}", one_line(line, WIDTH));
        };
        let Candidate { workload, protocol, port, grounds, caller, .. } = candidate;
        let kind = &workload.kind.0;
        line(&mut text, &format!("{namespace}/{} ({kind}) on {protocol} {port}: {}.", workload.name, grounds.join(", ")));
        match caller {
            Caller::Unknown => line(&mut text, "Nobody called while the capture ran; who may is not known."),
            Caller::Known(_, who) => line(&mut text, &format!("Nobody called while the capture ran; {who}, would.")),
        }
        for yaml in block(&manifest(candidate)).lines() {
            let _ = writeln!(text, "# {yaml}");
        }
        text.push_str("# ---\n");
    }
    text
}

/// All candidates, to stand at the end of a stream; nothing without any.
#[must_use]
pub fn stream(candidates: &[Candidate]) -> String {
    let namespaces: BTreeSet<&str> = candidates.iter().map(|candidate| candidate.workload.namespace.as_str()).collect();
    let own = |namespace: &str| -> Vec<&Candidate> {
        candidates.iter().filter(|candidate| candidate.workload.namespace == namespace).collect()
    };
    namespaces.into_iter().map(|namespace| text(namespace, &own(namespace))).collect()
}

/// The policy that a candidate would be.
fn manifest(candidate: &Candidate) -> Value {
    let Candidate { workload, protocol, port, selects, caller, .. } = candidate;
    let open = Requirement::Equals { key: "caller".to_owned(), value: OPEN.to_owned() };
    let peers = match caller {
        Caller::Known(peers, _) => peers.clone(),
        Caller::Unknown => NonEmpty::one(Peer::Pods { namespace: None, pods: PodSelector::Labelled(NonEmpty::one(open)) }),
    };
    let ports = NonEmpty::one(PolicyPort::single(*protocol, NonZeroU16::new(*port).unwrap_or(NonZeroU16::MIN)));
    let name = format!("allow-{}-{}-{port}", workload.name, protocol.to_string().to_lowercase());
    let policy = Policy {
        namespace: workload.namespace.clone(),
        class: Class::Workload,
        name,
        subject: None,
        selects: selects.clone(),
        rules: Rules::Ingress(NonEmpty::one(Rule { peers, ports })),
    };
    let mut object = json!(manifest::write(&policy));
    object["metadata"] = json!({ "name": policy.name, "namespace": policy.namespace });
    object
}

/// A value as block YAML, with a line feed at its end. Lists stand at the indentation of their key, as kubectl writes them.
fn block(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

fn write(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) => {
            for (position, (key, member)) in members.iter().enumerate() {
                // The first member of an item stands beside its dash.
                if position > 0 || !text.ends_with("- ") {
                    text.push_str(&" ".repeat(indent));
                }
                text.push_str(&scalar(key));
                text.push(':');
                match member {
                    Value::Object(inner) if !inner.is_empty() => {
                        text.push('\n');
                        write(text, member, indent + 2);
                    }
                    Value::Array(items) if !items.is_empty() => {
                        text.push('\n');
                        write(text, member, indent);
                    }
                    _ => {
                        text.push(' ');
                        write(text, member, indent);
                    }
                }
            }
            if members.is_empty() {
                text.push_str("{}\n");
            }
        }
        Value::Array(items) => {
            for item in items {
                text.push_str(&" ".repeat(indent));
                text.push_str("- ");
                write(text, item, indent + 2);
            }
            if items.is_empty() {
                text.push_str("[]\n");
            }
        }
        Value::String(string) => {
            text.push_str(&scalar(string));
            text.push('\n');
        }
        other => {
            let _ = writeln!(text, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;
    use crate::output::tests::samples::{labelled, pods, workload};

    fn candidate(name: &str, caller: Caller) -> Candidate {
        Candidate {
            workload: workload("prod", name),
            protocol: Protocol::Tcp,
            port: 8443,
            grounds: vec!["containerPort".into(), "Service prod/\u{1b}[2J\nkind: Evil".into()],
            selects: labelled("app", "on"),
            caller,
        }
    }

    #[test]
    fn everything_is_a_comment_and_says_a_policy_without_its_signs() {
        let known = Caller::Known(NonEmpty::one(pods(Some("monitoring"), "app", "prometheus")), "monitoring/prometheus".into());
        let candidates = [candidate("web", Caller::Unknown), candidate("yes", known)];
        let text = text("prod", &candidates.iter().collect::<Vec<_>>());
        assert!(text.starts_with(YAML_MARKER));
        assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
        let (_, body) = text.split_once("#\n").expect("candidates");
        let body: Vec<&str> = body.lines().map(|line| line.get(2..).unwrap_or_default()).collect();
        let body = body.join("\n");
        let read: Vec<Value> = serde_saphyr::from_multiple(&body).expect("YAML");
        let expected: Vec<Value> = candidates.iter().map(manifest).collect();
        assert_eq!(read, expected, "{body}");
        assert_eq!(read[0]["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]["caller"], OPEN);
        assert_eq!(read[0]["metadata"], json!({"name": "allow-web-tcp-8443", "namespace": "prod"}), "it is not the tool's");
        assert_eq!(
            read[1]["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
            "monitoring"
        );
    }
}
