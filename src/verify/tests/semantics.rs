//! What the API's text says, a row for each mistake that is easily made with it.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::json;

use super::{deny_all, place, policy, policy_in, shop};
use crate::inventory::PodId;
use crate::model::Protocol::{Sctp, Tcp, Udp};
use crate::model::{Labels, Protocol};
use crate::verify::Answer::{self, Allowed, Denied, Undefined};
use crate::verify::{Direction, Evaluator, Exempt, PolicyName, PortSet, RuleName, Side};

/// Originator, responder, protocol, port; the expected answers of egress and ingress; what it shows.
type Row = (&'static str, &'static str, Protocol, u16, Answer, Answer, &'static str);

fn check(policies: &[NetworkPolicy], rows: &[Row]) {
    let world = shop();
    let evaluator = Evaluator::new(policies, &world).unwrap();
    for &(from, to, protocol, port, egress, ingress, message) in rows {
        let verdict = evaluator.verdict(place(&world, from), place(&world, to), protocol, port);
        let answers = (verdict.originator.answer(), verdict.responder.answer());
        assert_eq!(answers, (egress, ingress), "{message}: {from} -> {to} {protocol} {port}: {verdict:?}");
        let reach = evaluator.reach(place(&world, from), place(&world, to));
        let by_sets = (reach.allowed.contains(protocol, port), reach.undefined.contains(protocol, port));
        assert_eq!(by_sets, (verdict.answer() == Allowed, verdict.answer() == Undefined), "{message}: by sets");
    }
}

#[test]
fn both_ends_must_allow() {
    let egress = json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 5432}]}]});
    let ingress = json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432}]}]});
    let (deny, egress, ingress) = (deny_all("shop"), policy("egress", egress), policy("ingress", ingress));
    check(&[deny.clone(), egress.clone()], &[("shop/web-0", "shop/db-0", Tcp, 5432, Allowed, Denied, "egress alone")]);
    check(&[deny.clone(), ingress.clone()], &[("shop/web-0", "shop/db-0", Tcp, 5432, Denied, Allowed, "ingress alone")]);
    check(
        &[deny, egress, ingress],
        &[
            ("shop/web-0", "shop/db-0", Tcp, 5432, Allowed, Allowed, "both"),
            ("shop/db-0", "shop/web-0", Tcp, 5432, Denied, Denied, "replies need no rule, and a rule is none for calls back"),
        ],
    );
}

#[test]
fn policy_types_default_to_ingress_and_to_egress_only_with_egress_rules() {
    check(
        &[policy("inert", json!({"podSelector": {"matchLabels": {"app": "web"}}}))],
        &[
            ("shop/db-0", "shop/web-0", Tcp, 80, Allowed, Denied, "a policy that looks inert isolates"),
            ("shop/web-0", "shop/db-0", Tcp, 80, Allowed, Allowed, "egress is not isolated without egress rules"),
        ],
    );
    check(
        &[policy("no-types", json!({"podSelector": {}, "policyTypes": [], "egress": []}))],
        &[("shop/web-0", "8.8.8.8", Udp, 53, Allowed, Allowed, "an empty list of rules is none")],
    );
    check(
        &[policy("egress", json!({"podSelector": {}, "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}))],
        &[
            ("shop/web-0", "8.8.8.8", Udp, 53, Allowed, Allowed, "an egress rule makes it a policy of both"),
            ("shop/web-0", "8.8.8.8", Tcp, 53, Denied, Allowed, "so egress is isolated"),
            ("8.8.8.8", "shop/web-0", Udp, 53, Allowed, Denied, "and ingress too"),
        ],
    );
    check(
        &[policy("only", json!({"podSelector": {}, "policyTypes": ["Egress"], "ingress": [{"from": [{"podSelector": {}}]}]}))],
        &[
            ("8.8.8.8", "shop/web-0", Tcp, 80, Allowed, Allowed, "ingress rules without the type have no effect"),
            ("shop/web-0", "8.8.8.8", Tcp, 80, Denied, Allowed, "the type alone isolates"),
        ],
    );
    let specless: NetworkPolicy = serde_json::from_value(json!({"metadata": {"namespace": "shop", "name": "bare"}})).unwrap();
    check(&[specless], &[("8.8.8.8", "shop/web-0", Tcp, 80, Allowed, Denied, "no spec is the empty spec")]);
}

#[test]
fn missing_and_empty_mean_everyone_every_port_and_every_pod() {
    for (peers, message) in [(json!({"from": []}), "empty from"), (json!({}), "no from"), (json!({"ports": []}), "empty ports")] {
        check(
            &[policy("open", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [peers]}))],
            &[
                ("8.8.8.8", "shop/web-0", Tcp, 80, Allowed, Allowed, message),
                ("ops/metrics-0", "shop/db-0", Sctp, 1, Allowed, Allowed, message),
                ("192.0.2.2", "shop/web-0", Udp, 53, Allowed, Allowed, message),
            ],
        );
    }
    check(
        &[policy("closed", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}))],
        &[("shop/web-0", "shop/db-0", Tcp, 80, Allowed, Denied, "no rule is no permission")],
    );
    let empty_selectors = json!([{"namespaceSelector": {}, "podSelector": {}}]);
    check(
        &[policy("pods", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": empty_selectors}]}))],
        &[
            (
                "ops/metrics-0",
                "shop/db-0",
                Udp,
                7,
                Allowed,
                Allowed,
                "every pod of every namespace, and every protocol without ports",
            ),
            ("8.8.8.8", "shop/db-0", Udp, 7, Allowed, Denied, "but no address"),
        ],
    );
    check(
        &[policy(
            "protocol",
            json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"protocol": "UDP"}]}]}),
        )],
        &[
            ("8.8.8.8", "shop/db-0", Udp, 65535, Allowed, Allowed, "a protocol without port is all its ports"),
            ("8.8.8.8", "shop/db-0", Tcp, 80, Allowed, Denied, "and nothing of the others"),
        ],
    );
    check(
        &[policy("tcp", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 80}]}]}))],
        &[
            ("8.8.8.8", "shop/db-0", Tcp, 80, Allowed, Allowed, "no protocol is TCP"),
            ("8.8.8.8", "shop/db-0", Udp, 80, Allowed, Denied, "and not UDP"),
            ("8.8.8.8", "shop/db-0", Sctp, 80, Allowed, Denied, "nor SCTP"),
        ],
    );
}

#[test]
fn one_item_is_and_two_items_are_or() {
    let (namespaces, pods) = (json!({"matchLabels": {"team": "b"}}), json!({"matchLabels": {"role": "metrics"}}));
    let one = json!([{"namespaceSelector": namespaces, "podSelector": {"matchLabels": {"app": "db"}}}]);
    let two = json!([{"namespaceSelector": namespaces}, {"podSelector": {"matchLabels": {"app": "db"}}}]);
    let ingress = |from| policy("ingress", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": from}]}));
    check(
        &[ingress(one)],
        &[
            ("shop/db-0", "shop/web-0", Tcp, 80, Allowed, Denied, "the right labels in the wrong namespace"),
            ("ops/metrics-0", "shop/web-0", Tcp, 80, Allowed, Denied, "the right namespace with the wrong labels"),
        ],
    );
    check(
        &[ingress(two)],
        &[
            ("shop/db-0", "shop/web-0", Tcp, 80, Allowed, Allowed, "the one"),
            ("ops/metrics-0", "shop/web-0", Tcp, 80, Allowed, Allowed, "or the other"),
            ("shop/web-1", "shop/web-0", Tcp, 80, Allowed, Denied, "or neither"),
        ],
    );
    check(
        &[ingress(json!([{"podSelector": pods}]))],
        &[("ops/metrics-0", "shop/web-0", Tcp, 80, Allowed, Denied, "without namespaceSelector the policy's own namespace")],
    );
    check(
        &[ingress(json!([{"namespaceSelector": {"matchLabels": {"name": "ops"}}}]))],
        &[("ops/metrics-0", "shop/web-0", Tcp, 80, Allowed, Denied, "no namespace has the label `name`")],
    );
}

#[test]
fn expressions_select_by_presence_and_values() {
    let rows = [
        (json!({"key": "tier", "operator": "In", "values": ["back", "mid"]}), Allowed, Denied, "In needs the label"),
        (json!({"key": "tier", "operator": "NotIn", "values": ["mid"]}), Allowed, Allowed, "NotIn holds without the label"),
        (json!({"key": "tier", "operator": "NotIn", "values": ["back"]}), Denied, Allowed, "NotIn fails on the value"),
        (json!({"key": "tier", "operator": "Exists"}), Allowed, Denied, "Exists"),
        (json!({"key": "tier", "operator": "DoesNotExist"}), Denied, Allowed, "DoesNotExist"),
    ];
    for (expression, db, web, message) in rows {
        let from = json!([{"podSelector": {"matchExpressions": [expression]}}]);
        check(
            &[policy("ingress", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": from}]}))],
            &[
                ("shop/db-0", "shop/web-0", Tcp, 80, Allowed, db, message),
                ("shop/web-1", "shop/web-0", Tcp, 80, Allowed, web, message),
            ],
        );
    }
    let both = json!({"matchLabels": {"app": "db"}, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]});
    check(
        &[policy("both", json!({"podSelector": both, "policyTypes": ["Ingress"]}))],
        &[("shop/web-0", "shop/db-0", Tcp, 80, Allowed, Allowed, "all requirements must hold, so nothing is selected")],
    );
}

#[test]
fn policies_add_up() {
    let open = |port: u16| json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": port}]}]});
    check(
        &[deny_all("shop"), policy("one", open(80)), policy("two", open(81))],
        &[
            ("8.8.8.8", "shop/web-0", Tcp, 80, Allowed, Allowed, "what one allows"),
            ("8.8.8.8", "shop/web-0", Tcp, 81, Allowed, Allowed, "what another allows"),
            ("8.8.8.8", "shop/web-0", Tcp, 82, Allowed, Denied, "what none allows"),
            ("shop/web-0", "8.8.8.8", Tcp, 80, Denied, Allowed, "the other direction is isolated by the first policy alone"),
        ],
    );
    check(
        &[policy_in("ops", "elsewhere", &json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}))],
        &[("8.8.8.8", "shop/web-0", Tcp, 80, Allowed, Allowed, "a policy isolates only pods of its own namespace")],
    );
}

#[test]
fn named_ports_are_those_of_the_responder() {
    let named = json!([{"port": "http"}]);
    let egress = json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "8.8.8.0/24"}}], "ports": named}]});
    let ingress =
        json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"], "ingress": [{"ports": named}]});
    check(
        &[policy("egress", egress), policy("ingress", ingress)],
        &[
            ("shop/db-0", "shop/web-0", Tcp, 8080, Allowed, Allowed, "http on one replica"),
            ("shop/db-0", "shop/web-1", Tcp, 8081, Allowed, Allowed, "is another number on the other"),
            ("shop/db-0", "shop/web-1", Tcp, 8080, Denied, Denied, "and not the first one's"),
            ("shop/db-0", "ops/metrics-0", Tcp, 8080, Denied, Allowed, "a name of UDP is none of TCP"),
            ("shop/db-0", "ops/metrics-0", Udp, 8080, Denied, Allowed, "and the rule says TCP"),
            ("shop/db-0", "8.8.8.8", Tcp, 8080, Denied, Allowed, "an address has no names"),
        ],
    );
}

#[test]
fn end_port_makes_a_range_with_both_ends() {
    let ports = json!([{"port": 32000, "endPort": 32768}, {"port": 65535, "endPort": 65535, "protocol": "UDP"}]);
    check(
        &[policy("range", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": ports}]}))],
        &[
            ("8.8.8.8", "shop/web-0", Tcp, 31999, Allowed, Denied, "below"),
            ("8.8.8.8", "shop/web-0", Tcp, 32000, Allowed, Allowed, "first"),
            ("8.8.8.8", "shop/web-0", Tcp, 32768, Allowed, Allowed, "last"),
            ("8.8.8.8", "shop/web-0", Tcp, 32769, Allowed, Denied, "above"),
            ("8.8.8.8", "shop/web-0", Udp, 65535, Allowed, Allowed, "the last port of all"),
        ],
    );
}

#[test]
fn pods_on_the_host_network_are_their_nodes_addresses() {
    let selectors = json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"namespaceSelector": {}}]}]});
    check(
        &[policy("pods", selectors), policy_in("ops", "deny", &json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}))],
        &[
            ("ops/agent-0", "shop/web-0", Tcp, 80, Allowed, Denied, "no selector means it, and no policy selects it"),
            ("8.8.8.8", "ops/agent-0", Tcp, 10250, Allowed, Allowed, "its ingress is free"),
            ("ops/agent-0", "shop/web-1", Tcp, 80, Allowed, Allowed, "to a pod on its own node"),
        ],
    );
    let block = json!([{"ipBlock": {"cidr": "192.0.2.2/32"}}]);
    check(
        &[policy("block", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": block}]}))],
        &[
            ("ops/agent-0", "shop/web-0", Tcp, 80, Allowed, Allowed, "by its node's address it is meant"),
            ("192.0.2.2", "shop/web-0", Tcp, 80, Allowed, Allowed, "as the node itself is"),
        ],
    );
}

#[test]
fn the_own_node_may_always_call_and_others_may_not() {
    check(
        &[deny_all("shop")],
        &[
            ("192.0.2.1", "shop/web-0", Tcp, 8080, Allowed, Allowed, "probes of the kubelet"),
            ("2001:db8::1", "shop/web-0", Tcp, 8080, Allowed, Allowed, "at any of its addresses"),
            ("shop/web-0", "192.0.2.1", Tcp, 10250, Denied, Allowed, "the way out is filtered by most network plug-ins"),
            ("192.0.2.2", "shop/web-0", Tcp, 8080, Allowed, Denied, "another node"),
            ("shop/web-0", "192.0.2.2", Tcp, 10250, Denied, Allowed, "to another node"),
            ("shop/web-0", "shop/web-0", Tcp, 1, Allowed, Allowed, "a pod and itself"),
            ("shop/web-0", "10.1.0.1", Tcp, 1, Allowed, Allowed, "by its address"),
            ("shop/web-0", "127.0.0.1", Tcp, 1, Allowed, Allowed, "loopback"),
            ("shop/web-0", "shop/web-1", Tcp, 1, Denied, Denied, "another replica is another pod"),
        ],
    );
}

#[test]
fn blocks_mean_addresses_of_their_family_and_nothing_certain_of_pods() {
    let blocks = json!([{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.3/32", "10.9.0.0/16"]}}, {"ipBlock": {"cidr": "2001:db8:9::/48"}}]);
    check(
        &[policy(
            "blocks",
            json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": [{"to": blocks}]}),
        )],
        &[
            ("shop/web-0", "10.200.0.1", Tcp, 6443, Allowed, Allowed, "an endpoint address of the API server, not its ClusterIP"),
            ("shop/web-0", "10.9.3.3", Tcp, 443, Denied, Allowed, "a hole"),
            ("shop/web-0", "11.0.0.1", Tcp, 443, Denied, Allowed, "beyond"),
            ("shop/web-0", "2001:db8:9::7", Tcp, 443, Allowed, Allowed, "IPv6"),
            ("shop/web-0", "2001:db8:a::7", Tcp, 443, Denied, Allowed, "beyond in IPv6"),
            ("shop/web-0", "ops/metrics-0", Tcp, 80, Undefined, Allowed, "a pod's address"),
            ("shop/web-0", "10.1.1.1", Tcp, 80, Undefined, Allowed, "written as address"),
            ("shop/web-0", "shop/db-0", Tcp, 80, Denied, Allowed, "a pod in a hole is not meant at all"),
        ],
    );
    check(
        &[policy(
            "ports",
            json!({"podSelector": {}, "policyTypes": ["Egress"], "egress":
            [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 80}]}, {"to": [{"podSelector": {}}], "ports": [{"port": 80}]}]}),
        )],
        &[
            ("shop/web-0", "shop/db-0", Tcp, 80, Allowed, Allowed, "where a selector allows it, the block does not matter"),
            ("shop/web-0", "ops/metrics-0", Tcp, 80, Undefined, Allowed, "where none does, it stays undefined"),
            ("shop/web-0", "ops/metrics-0", Tcp, 81, Denied, Allowed, "on other ports it is denied"),
        ],
    );
}

#[test]
fn verdicts_name_their_reasons() {
    let open =
        json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 80}]}, {"ports": [{"port": 81}]}]});
    let world = shop();
    let policies = [deny_all("shop"), policy("open", open)];
    let evaluator = Evaluator::new(&policies, &world).unwrap();
    let name = |name: &str| PolicyName { namespace: "shop".to_owned(), name: name.to_owned() };
    let verdict = evaluator.verdict(place(&world, "shop/web-0"), place(&world, "shop/db-0"), Tcp, 81);
    let rule = RuleName { policy: name("open"), direction: Direction::Ingress, index: 1 };
    assert_eq!(rule.to_string(), "shop/open ingress[1]");
    assert_eq!(verdict.responder, Side::Allowed { by: [rule].into() });
    assert_eq!(verdict.originator, Side::Denied { isolated_by: [name("default-deny-all")].into() });
    assert_eq!(verdict.answer(), Denied);
    assert_eq!(evaluator.isolated_by(PodId(0), Direction::Ingress), [name("default-deny-all"), name("open")].into());
    let sides = [
        ("shop/web-0", "shop/web-0", Side::Exempt(Exempt::SamePod)),
        ("shop/web-0", "192.0.2.1", Side::Denied { isolated_by: [name("default-deny-all")].into() }),
        ("192.0.2.1", "shop/web-0", Side::Exempt(Exempt::HostNetwork)),
        ("ops/agent-0", "shop/web-0", Side::Exempt(Exempt::HostNetwork)),
        ("8.8.8.8", "shop/web-0", Side::Exempt(Exempt::Outside)),
        ("shop/web-0", "::1", Side::Exempt(Exempt::Loopback)),
        ("ops/metrics-0", "shop/web-0", Side::NotIsolated),
    ];
    for (from, to, side) in sides {
        assert_eq!(evaluator.verdict(place(&world, from), place(&world, to), Tcp, 80).originator, side, "{from} -> {to}");
    }
    let reach = evaluator.reach(place(&world, "ops/metrics-0"), place(&world, "shop/web-0"));
    assert_eq!(reach.allowed, PortSet::range(Tcp, 80, 81));
}

#[test]
fn labels_and_namespaces_that_are_missing_match_nothing_by_accident() {
    let mut world = shop();
    world.namespaces.remove("ops");
    let from = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}}]);
    let policies = [policy("ingress", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": from}]}))];
    let answer = |world: &super::ClusterView| {
        let evaluator = Evaluator::new(&policies, world).unwrap();
        evaluator.verdict(place(world, "ops/metrics-0"), place(world, "shop/web-0"), Tcp, 80).answer()
    };
    assert_eq!(answer(&world), Denied, "a namespace that is not known has no labels");
    world.namespaces.insert("ops".to_owned(), Labels::new());
    assert_eq!(answer(&world), Denied, "nor has one without labels");
    assert_eq!(answer(&shop()), Allowed, "with the label it matches");
}
