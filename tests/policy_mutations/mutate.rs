//! Every single change to a policy of a list of kinds.

use std::collections::BTreeSet;

use ipnet::IpNet;
use netpol_gen::verify::ClusterView;
use serde_json::{Value, json};

/// A set of policies of which one was changed.
pub struct Mutation {
    /// The sort of change.
    pub kind: &'static str,
    /// Which change it is.
    pub what: String,
    /// Which policy.
    pub policy: usize,
    /// What it is now; nothing if it is gone.
    pub changed: Option<Value>,
}

/// Kinds that must have widened something somewhere, so that none of them comes to nothing unseen.
pub const WIDENING: [&str; 26] = [
    "endPort added",
    "endPort raised",
    "port number changed",
    "port number dropped",
    "port added",
    "protocol changed",
    "protocol dropped",
    "range added",
    "rule's ports dropped",
    "rule's peers dropped",
    "empty rule added",
    "peer added",
    "address added",
    "0.0.0.0/0 added",
    "cidr widened",
    "except removed",
    "except narrowed",
    "policy's selector loosened",
    "policy's selector emptied",
    "peer's selector loosened",
    "selector changed",
    "podSelector emptied",
    "podSelector dropped",
    "namespaceSelector emptied",
    "policyTypes cut",
    "policy removed",
];

/// Collects the mutations of one policy.
struct Collector<'a> {
    policy: usize,
    original: &'a Value,
    found: Vec<Mutation>,
}

impl Collector<'_> {
    /// Adds the policy with something changed; where that makes no difference to the text, there is no mutation.
    fn add(&mut self, kind: &'static str, what: impl Into<String>, change: impl FnOnce(&mut Value)) {
        let mut changed = self.original.clone();
        change(&mut changed);
        if changed != *self.original {
            self.found.push(Mutation { kind, what: what.into(), policy: self.policy, changed: Some(changed) });
        }
    }

    /// The same with what stands at a path.
    fn at(&mut self, path: &str, kind: &'static str, what: impl Into<String>, change: impl FnOnce(&mut Value)) {
        let what = format!("{} at {path}", what.into());
        self.add(kind, what, |policy| change(policy.pointer_mut(path).unwrap()));
    }
}

/// All mutations of these policies, one at a time.
pub fn mutations(policies: &[Value], world: &ClusterView) -> Vec<Mutation> {
    let mut found = Vec::new();
    for (policy, original) in policies.iter().enumerate() {
        let mut collector = Collector { policy, original, found: Vec::new() };
        whole(&mut collector);
        for (direction, field, peers) in [("Ingress", "ingress", "from"), ("Egress", "egress", "to")] {
            let path = format!("/spec/{field}");
            let rules = original.pointer(&path).and_then(Value::as_array).map_or(0, Vec::len);
            collector.add("empty rule added", direction, |policy| {
                let rules = &mut policy["spec"][field];
                if rules.is_null() {
                    *rules = json!([]);
                }
                rules.as_array_mut().unwrap().push(json!({}));
            });
            for rule in 0..rules {
                rule_mutations(&mut collector, &format!("{path}/{rule}"), peers, world);
                collector.at(&path, "rule removed", "", |rules| drop(rules.as_array_mut().unwrap().remove(rule)));
            }
        }
        found.extend(collector.found);
    }
    found
}

/// What concerns the whole policy.
fn whole(collector: &mut Collector<'_>) {
    collector.found.push(Mutation { kind: "policy removed", what: String::new(), policy: collector.policy, changed: None });
    for class in ["default-deny", "dns", "workload", "api-server", "node", "metadata", "outside", "internet"] {
        collector.add("annotation changed", class, |policy| {
            policy["metadata"]["annotations"]["netpol-gen/class"] = json!(class);
            policy["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("netpol-gen");
        });
    }
    collector.add("annotation changed", "none", |policy| drop(policy["metadata"].as_object_mut().unwrap().remove("annotations")));
    selector(collector, "/spec/podSelector", "policy's selector loosened", "policy's selector emptied");
    let types = collector.original["spec"]["policyTypes"].as_array().cloned().unwrap_or_default();
    for (position, kind) in types.iter().enumerate() {
        collector.at("/spec/policyTypes", "policyTypes cut", kind.to_string(), |types| {
            types.as_array_mut().unwrap().remove(position);
        });
    }
    for one in ["Ingress", "Egress"] {
        collector.at("/spec/policyTypes", "policyTypes changed", one, |types| *types = json!([one]));
    }
    collector.at("/spec", "policyTypes cut", "all", |spec| drop(spec.as_object_mut().unwrap().remove("policyTypes")));
    collector.at("/spec/policyTypes", "policyTypes widened", "", |types| *types = json!(["Ingress", "Egress"]));
}

/// Each requirement of a selector removed, and all of them.
fn selector(collector: &mut Collector<'_>, path: &str, loosened: &'static str, emptied: &'static str) {
    let selector = collector.original.pointer(path).unwrap().clone();
    for key in selector["matchLabels"].as_object().into_iter().flatten().map(|(key, _)| key) {
        collector.at(path, loosened, key, |selector| drop(selector["matchLabels"].as_object_mut().unwrap().remove(key)));
        collector.at(path, "selector changed", key, |selector| selector["matchLabels"][key] = json!("another"));
    }
    for position in 0..selector["matchExpressions"].as_array().map_or(0, Vec::len) {
        collector.at(path, loosened, format!("expression {position}"), |selector| {
            selector["matchExpressions"].as_array_mut().unwrap().remove(position);
        });
    }
    collector.at(path, emptied, "", |selector| *selector = json!({}));
}

fn rule_mutations(collector: &mut Collector<'_>, path: &str, peers: &str, world: &ClusterView) {
    let rule = collector.original.pointer(path).unwrap().clone();
    let without = |field: &str| {
        let field = field.to_owned();
        move |rule: &mut Value| drop(rule.as_object_mut().unwrap().remove(&field))
    };
    collector.at(path, "rule's ports dropped", "left out", without("ports"));
    collector.at(path, "rule's ports dropped", "empty", |rule| rule["ports"] = json!([]));
    collector.at(path, "rule's peers dropped", "left out", without(peers));
    collector.at(path, "rule's peers dropped", "empty", |rule| rule[peers] = json!([]));
    port_mutations(collector, &format!("{path}/ports"), &rule["ports"]);
    let add = |what: &Value| {
        let what = what.clone();
        move |list: &mut Value| list.as_array_mut().unwrap().push(what)
    };
    let list = format!("{path}/{peers}");
    if rule[peers].is_null() {
        return;
    }
    for everyone in
        [json!({"podSelector": {}}), json!({"namespaceSelector": {}}), json!({"namespaceSelector": {}, "podSelector": {}})]
    {
        collector.at(&list, "peer added", everyone.to_string(), add(&everyone));
    }
    let workloads: BTreeSet<(&String, Vec<(&String, &String)>)> =
        world.pods.iter().map(|pod| (&pod.name.namespace, pod.labels.iter().collect())).collect();
    for (namespace, labels) in workloads {
        let labels: Value =
            labels.into_iter().map(|(key, value)| (key.clone(), json!(value))).collect::<serde_json::Map<_, _>>().into();
        let named = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
        let peer = json!({"namespaceSelector": named, "podSelector": {"matchLabels": labels}});
        collector.at(&list, "peer added", peer.to_string(), add(&peer));
    }
    for cidr in ["0.0.0.0/0", "::/0"] {
        collector.at(&list, "0.0.0.0/0 added", cidr, add(&json!({"ipBlock": {"cidr": cidr}})));
    }
    collector.at(
        &list,
        "0.0.0.0/0 added",
        "but for private ranges",
        add(&json!({"ipBlock": {
        "cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]}})),
    );
    for cidr in ["8.8.8.8/32", "2001:db8:ffff::1/128"] {
        collector.at(&list, "address added", cidr, add(&json!({"ipBlock": {"cidr": cidr}})));
    }
    for (position, peer) in rule[peers].as_array().unwrap().iter().enumerate() {
        collector.at(&list, "peer removed", peer.to_string(), |list| drop(list.as_array_mut().unwrap().remove(position)));
        peer_mutations(collector, &format!("{list}/{position}"), peer);
    }
}

fn port_mutations(collector: &mut Collector<'_>, path: &str, ports: &Value) {
    let Some(ports) = ports.as_array() else { return };
    let numbers: BTreeSet<u64> = ports.iter().filter_map(|port| port["port"].as_u64()).collect();
    for protocol in ["TCP", "UDP", "SCTP"] {
        for number in numbers.iter().copied().chain([1]) {
            let port = json!({"protocol": protocol, "port": number});
            if !ports.contains(&port) {
                collector.at(path, "port added", port.to_string(), |list| list.as_array_mut().unwrap().push(port));
            }
        }
        let range = json!({"protocol": protocol, "port": 32768, "endPort": 60999});
        collector.at(path, "range added", range.to_string(), |list| list.as_array_mut().unwrap().push(range));
        let all = json!({"protocol": protocol});
        collector.at(path, "range added", all.to_string(), |list| list.as_array_mut().unwrap().push(all));
    }
    for (position, port) in ports.iter().enumerate() {
        collector.at(path, "port removed", port.to_string(), |list| {
            let list = list.as_array_mut().unwrap();
            // An empty list would mean every port, which is another kind.
            if list.len() > 1 {
                list.remove(position);
            }
        });
        let own = format!("{path}/{position}");
        let Some(number) = port["port"].as_u64() else { continue };
        let last = port["endPort"].as_u64().unwrap_or(number);
        for end in [last + 1, 65000.max(last + 1), 65535] {
            let kind = if port["endPort"].is_null() { "endPort added" } else { "endPort raised" };
            collector.at(&own, kind, end.to_string(), |port| port["endPort"] = json!(end));
        }
        collector.at(&own, "endPort raised", "from the port before", |port| {
            port["port"] = json!(number - 1);
            port["endPort"] = json!(last);
        });
        if port["endPort"].is_null() {
            collector.at(&own, "port number changed", "", |port| port["port"] = json!(number + 1));
        }
        collector.at(&own, "port number dropped", "", |port| {
            let port = port.as_object_mut().unwrap();
            port.remove("port");
            port.remove("endPort");
        });
        for protocol in ["TCP", "UDP", "SCTP"] {
            collector.at(&own, "protocol changed", protocol, |port| port["protocol"] = json!(protocol));
        }
        collector.at(&own, "protocol dropped", "", |port| drop(port.as_object_mut().unwrap().remove("protocol")));
    }
}

fn peer_mutations(collector: &mut Collector<'_>, path: &str, peer: &Value) {
    let drop_field = |field: &'static str| move |peer: &mut Value| drop(peer.as_object_mut().unwrap().remove(field));
    if !peer["podSelector"].is_null() {
        selector(collector, &format!("{path}/podSelector"), "peer's selector loosened", "podSelector emptied");
    }
    if !peer["namespaceSelector"].is_null() {
        selector(collector, &format!("{path}/namespaceSelector"), "namespaceSelector loosened", "namespaceSelector emptied");
        if !peer["podSelector"].is_null() {
            collector.at(path, "namespaceSelector dropped", "", drop_field("namespaceSelector"));
            collector.at(path, "podSelector dropped", "", drop_field("podSelector"));
        }
    } else if !peer["podSelector"].is_null() {
        collector.at(path, "namespaceSelector emptied", "where there was none", |peer| peer["namespaceSelector"] = json!({}));
    }
    let Some(cidr) = peer["ipBlock"]["cidr"].as_str() else { return };
    let cidr: IpNet = cidr.parse().unwrap();
    let block = format!("{path}/ipBlock");
    if let Some(wider) = cidr.supernet() {
        collector.at(&block, "cidr widened", "by a bit", |block| block["cidr"] = json!(wider.to_string()));
        let all = if cidr.addr().is_ipv4() { "0.0.0.0/0" } else { "::/0" };
        collector.at(&block, "cidr widened", "to everything", |block| block["cidr"] = json!(all));
    }
    let except: Vec<Value> = peer["ipBlock"]["except"].as_array().cloned().unwrap_or_default();
    for (position, hole) in except.iter().enumerate() {
        collector.at(&format!("{block}/except"), "except removed", hole.to_string(), |except| {
            except.as_array_mut().unwrap().remove(position);
        });
        let hole: IpNet = hole.as_str().unwrap().parse().unwrap();
        for half in hole.subnets(hole.prefix_len() + 1).into_iter().flatten() {
            collector.at(&format!("{block}/except/{position}"), "except narrowed", half.to_string(), |hole| {
                *hole = json!(half.to_string());
            });
        }
    }
    if !except.is_empty() {
        collector.at(&block, "except removed", "all", |block| drop(block.as_object_mut().unwrap().remove("except")));
    }
}
