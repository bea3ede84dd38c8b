//! Which addresses are the cluster's own.

use super::*;

fn ranges(inventory: &Inventory) -> (Vec<String>, Vec<String>) {
    let texts = |ranges: &[IpNet]| ranges.iter().map(ToString::to_string).collect();
    (texts(inventory.pod_ranges()), texts(inventory.service_ranges()))
}

fn node(name: &str, ranges: &str) -> String {
    format!("---\nkind: Node\nmetadata: {{name: {name}}}\nspec: {{podCIDRs: [{ranges}]}}\n")
}

fn pod(name: &str, addresses: &[&str]) -> String {
    let addresses: Vec<String> = addresses.iter().map(|address| format!("{{ip: '{address}'}}")).collect();
    format!("---\nkind: Pod\nmetadata: {{name: {name}, namespace: prod}}\nstatus: {{podIPs: [{}]}}\n", addresses.join(", "))
}

fn service(namespace: &str, name: &str, addresses: &str) -> String {
    format!("---\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{clusterIPs: [{addresses}]}}\n")
}

const KUBERNETES: &str = "---\nkind: Service\nmetadata: {name: kubernetes, namespace: default}\nspec: {clusterIP: 10.96.0.1}\n";

/// A message; objects; the pod and Service ranges expected, and how many guesses.
type Row = (&'static str, String, &'static [&'static str], &'static [&'static str], usize);

#[test]
fn said_ranges_come_first() {
    let arguments = "---
kind: Pod
metadata: {name: kube-controller-manager-cp, namespace: kube-system}
spec:
  hostNetwork: true
  containers:
  - name: kube-controller-manager
    command: [kube-controller-manager, '--cluster-cidr=10.244.0.0/16,fd00:10::/56', --service-cluster-ip-range, '10.96.0.0/12']
";
    let rows: &[Row] = &[
        (
            "neighbouring ranges of nodes are one",
            node("a", "10.244.0.0/24") + &node("b", "10.244.1.0/24, 'fd00:1::/64'") + KUBERNETES,
            &["10.244.0.0/23", "fd00:1::/64"],
            &["10.96.0.0/24"],
            0,
        ),
        (
            "arguments of the control plane",
            node("a", "10.244.0.0/24") + arguments + KUBERNETES,
            &["10.244.0.0/16", "fd00:10::/56"],
            &["10.96.0.0/12"],
            0,
        ),
        (
            "ServiceCIDR objects before arguments",
            arguments.to_owned()
                + "---\napiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: kubernetes}\n\
                   spec: {cidrs: [10.96.0.0/16, 'fd00:9::/112']}\n",
            &["10.244.0.0/16", "fd00:10::/56"],
            &["10.96.0.0/16", "fd00:9::/112"],
            0,
        ),
        (
            "the least range that holds all ClusterIPs",
            service("prod", "a", "10.96.3.7, 'fd00:9::7'") + &service("prod", "b", "10.96.9.1, 'fd00:9::1:1'") + KUBERNETES,
            &[],
            &["10.96.0.0/20", "fd00:9::/111"],
            0,
        ),
        ("a guess without the Service kubernetes", service("prod", "a", "10.96.3.7"), &[], &["10.96.3.0/24"], 1),
        ("headless Services have no address", service("prod", "a", "None") + KUBERNETES, &[], &["10.96.0.0/24"], 0),
        (
            "blocks around pods",
            pod("a", &["10.1.2.3", "fd00:1::3"]) + &pod("b", &["10.1.2.4"]) + &pod("c", &["10.1.3.4"]) + KUBERNETES,
            &["10.1.2.0/23", "fd00:1::/64"],
            &["10.96.0.0/24"],
            3,
        ),
        (
            "pods outside the range of their nodes",
            node("a", "10.244.0.0/24") + &pod("a", &["10.244.0.9"]) + &pod("b", &["192.168.7.9"]) + KUBERNETES,
            &["10.244.0.0/24", "192.168.7.0/24"],
            &["10.96.0.0/24"],
            1,
        ),
        (
            "no block with a node or load balancer in it",
            pod("a", &["10.1.2.3"])
                + &pod("b", &["10.1.3.3"])
                + "---\nkind: Node\nmetadata: {name: n}\nstatus: {addresses: [{type: InternalIP, address: 10.1.2.200}]}\n"
                + "---\nkind: Service\nmetadata: {name: s}\nspec: {clusterIP: 10.96.0.9, externalIPs: [10.1.3.200]}\n"
                + KUBERNETES,
            &[],
            &["10.96.0.0/24"],
            2,
        ),
        (
            "a tunnel device is no reason against a block",
            pod("a", &["10.1.2.3"])
                + "---\nkind: Node\nmetadata: {name: n, annotations: {projectcalico.org/IPv4VXLANTunnelAddr: 10.1.2.64}}\n"
                + KUBERNETES,
            &["10.1.2.0/24"],
            &["10.96.0.0/24"],
            1,
        ),
    ];
    for (message, text, pods, services, guesses) in rows {
        let inventory = inventory(&[text]);
        let (found_pods, found_services) = ranges(&inventory);
        assert_eq!((found_pods.iter().map(String::as_str).collect::<Vec<_>>()).as_slice(), *pods, "{message}");
        assert_eq!((found_services.iter().map(String::as_str).collect::<Vec<_>>()).as_slice(), *services, "{message}");
        let found = found(&inventory).iter().filter(|(code, _)| *code == Code::GuessedRanges).count();
        assert_eq!(found, *guesses, "{message}");
    }
}

#[test]
fn what_a_person_says_ends_guessing() {
    let options = InventoryOptions {
        pod_ranges: vec!["10.0.0.0/9".parse().unwrap(), "10.128.0.0/9".parse().unwrap()],
        service_ranges: vec!["172.20.0.0/16".parse().unwrap()],
    };
    let text = pod("a", &["192.168.1.1"]) + &service("prod", "a", "172.20.3.4");
    let inventory = build([text.as_str()].iter(), &options);
    assert_eq!(ranges(&inventory), (vec!["10.0.0.0/8".to_owned()], vec!["172.20.0.0/16".to_owned()]));
    assert_eq!(found(&inventory), []);
}

#[test]
fn namespaces_and_policies_that_weaken_are_found() {
    let text = "kind: Namespace\nmetadata: {name: good, labels: {kubernetes.io/metadata.name: good}}\n\
                ---\nkind: Namespace\nmetadata: {name: bad, labels: {name: bad}}\n\
                ---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: theirs, namespace: good}\nspec: {podSelector: {}}\n\
                ---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: ours, namespace: good, labels: \
                {app.kubernetes.io/managed-by: netpol-gen}}\nspec: {podSelector: {}}\n";
    let inventory = inventory(&[text]);
    assert_eq!(
        found(&inventory),
        [(Code::NamespaceLabelMissing, "bad".to_owned()), (Code::ExistingPolicy, "good/theirs".to_owned())]
    );
    assert_eq!(inventory.existing_policies().len(), 2);
    assert_eq!(inventory.namespaces().len(), 2);
}
