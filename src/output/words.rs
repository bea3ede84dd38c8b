//! Policies in words, for comments and the review.

use crate::model::{Class, Peer, PodSelector, Policy, Rule, Rules};

use super::text::listed;

/// The most peers, holes or ports that are spelled out.
const ITEMS: usize = 8;

/// What a policy is for, as one sentence.
#[must_use]
pub fn purpose(policy: &Policy) -> String {
    let subject = subject(policy);
    let ingress = matches!(policy.rules, Rules::Ingress(_));
    match (policy.class, ingress) {
        (Class::DefaultDeny, _) => {
            format!("Denies {subject} all that no other policy allows, in both directions. Apply it last.")
        }
        (Class::Dns, true) => format!("Who may ask {subject} to resolve names."),
        (Class::Dns, false) => format!("Name resolution for {subject}."),
        (Class::Workload, true) => format!("Which pods may connect to {subject}."),
        (Class::Workload, false) => format!("Which pods {subject} may connect to."),
        (Class::ApiServer, true) => format!("Lets the Kubernetes API server call {subject}."),
        (Class::ApiServer, false) => format!("Lets {subject} call the Kubernetes API."),
        (Class::Node, true) => format!("Which nodes, other than its own, may connect to {subject}."),
        (Class::Node, false) => format!("Which nodes, other than its own, {subject} may connect to."),
        (Class::Metadata, _) => format!("Lets {subject} ask the cloud's metadata service, which hands out credentials."),
        (Class::Outside, true) => format!("Which addresses outside the cluster may connect to {subject}."),
        (Class::Outside, false) => format!("Which addresses outside the cluster {subject} may connect to."),
        (Class::Internet, true) => format!("Lets any address on the internet connect to {subject}."),
        (Class::Internet, false) => format!("Lets {subject} connect to any address on the internet."),
    }
}

/// The pods that a policy selects, by the workload's name where there is one.
#[must_use]
pub fn subject(policy: &Policy) -> String {
    match &policy.subject {
        Some(workload) => format!("{} ({})", workload.name, workload.kind.0),
        None => format!("every pod of {}", policy.namespace),
    }
}

/// What a policy allows, a line a rule.
#[must_use]
pub fn allows(policy: &Policy) -> Vec<String> {
    let way = match policy.rules {
        Rules::DenyAll => return vec!["nothing".into()],
        Rules::Ingress(_) => "from",
        Rules::Egress(_) => "to",
    };
    policy.rules.allowing().map(|rule| format!("{way} {}", rule_in_words(rule))).collect()
}

fn rule_in_words(rule: &Rule) -> String {
    let ports = listed(rule.ports.iter().map(ToString::to_string), ITEMS);
    format!("{} on {ports}", listed(rule.peers.iter().map(peer_in_words), ITEMS))
}

fn peer_in_words(peer: &Peer) -> String {
    match peer {
        Peer::Pods { namespace, pods: PodSelector::EveryPod } => match namespace {
            Some(namespace) => format!("every pod of {namespace}"),
            None => "every pod of the same namespace".into(),
        },
        Peer::Block(block) if !block.except.is_empty() => {
            format!("{} except {}", block.cidr, listed(block.except.iter().map(ToString::to_string), ITEMS))
        }
        _ => peer.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::samples;

    #[test]
    fn policies_in_words() {
        for (explained, subject, purpose, allows) in [
            (
                samples::default_deny("prod"),
                "every pod of prod",
                "Denies every pod of prod all that no other policy allows, in both directions. Apply it last.",
                "nothing",
            ),
            (
                samples::dns("prod"),
                "every pod of prod",
                "Name resolution for every pod of prod.",
                "to pods k8s-app=kube-dns of kube-system on TCP 53, UDP 53",
            ),
            (
                samples::ingress_to_db("prod"),
                "db (Deployment)",
                "Which pods may connect to db (Deployment).",
                "from pods name=api-pod on TCP 3306",
            ),
            (
                samples::internet_to_web("prod"),
                "web (Deployment)",
                "Lets any address on the internet connect to web (Deployment).",
                "from 0.0.0.0/0 except 10.0.0.0/8, 169.254.169.254/32, ::/0 on TCP 80",
            ),
        ] {
            let policy = &explained.policy;
            let words = (super::subject(policy), super::purpose(policy), super::allows(policy).join("; "));
            assert_eq!(words, (subject.into(), purpose.into(), allows.into()), "{}", policy.name);
        }
    }

    #[test]
    fn every_pod_is_said_so() {
        for (namespace, expected) in [(None, "every pod of the same namespace"), (Some("a"), "every pod of a")] {
            let peer = Peer::Pods { namespace: namespace.map(Into::into), pods: PodSelector::EveryPod };
            assert_eq!(peer_in_words(&peer), expected);
        }
    }
}
