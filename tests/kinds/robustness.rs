//! Whatever objects and traffic hold, a run ends with policies, and says what no rule can allow.

use crate::world::World;

/// What it shows, the cluster, arguments, rules that must be there, rules that must not (both as parts of a line), findings that must
/// be there (code, and a part of the text).
struct Row {
    name: &'static str,
    world: World,
    arguments: &'static [&'static str],
    rules: &'static [&'static str],
    no_rules: &'static [&'static str],
    findings: &'static [(&'static str, &'static str)],
}

/// Two nodes, the namespace shop with web and api, who talk.
fn shop() -> World {
    World::default()
        .node("n1", "192.168.1.11", &["10.244.1.0/24"])
        .node("n2", "192.168.1.12", &["10.244.2.0/24"])
        .namespace("shop")
        .pod("shop", "web", "10.244.1.10", "n1", "app=web")
        .pod("shop", "api", "10.244.2.10", "n2", "app=api")
        .tcp("10.244.1.10", "10.244.2.10", 8080)
}

/// A resolver behind a Service, in this namespace, on this port of its pod.
fn with_resolver(world: World, namespace: &str, port: u16) -> World {
    world.namespace(namespace).pod(namespace, "dns", "10.244.2.53", "n2", "k8s-app=kube-dns").object(&format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: kube-dns, namespace: {namespace}, labels: {{k8s-app: kube-dns}}}}\n\
         spec:\n  clusterIP: 10.96.0.10\n  selector: {{k8s-app: kube-dns}}\n  ports:\n  \
         - {{name: dns, port: 53, protocol: UDP, targetPort: {port}}}\n  - {{name: dns-tcp, port: 53, protocol: TCP, targetPort: {port}}}"
    ))
}

/// A Service of type LoadBalancer in front of web.
fn with_load_balancer(world: World) -> World {
    world.object(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec:\n  type: LoadBalancer\n  clusterIP: 10.96.0.20\n  \
         selector: {app: web}\n  ports:\n  - {name: http, port: 80, nodePort: 30080, targetPort: 8080}",
    )
}

/// A namespace without the label that the API server sets, with one pod.
fn with_unlabelled(world: World, labels: &str) -> World {
    world.object(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: legacy, labels: {{{labels}}}}}")).pod(
        "legacy",
        "soap",
        "10.244.2.20",
        "n2",
        "app=soap",
    )
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn a_run_ends_with_policies_whatever_it_meets() {
    const WEB_TO_API: &str = "shop/allow-egress-from-web [app=web] -> [app=api] TCP 8080";
    const API_FROM_WEB: &str = "shop/allow-ingress-to-api [app=api] <- [app=web] TCP 8080";
    let rows = [
        Row {
            name: "name resolution over UDP alone, and the resolver's namespace is learned",
            world: with_resolver(shop(), "openshift-dns", 5353).resolve(
                "10.244.1.10",
                "10.244.2.53",
                5353,
                "api.example.com",
                &["203.0.113.8"],
            ),
            arguments: &["--namespace", "shop", "--namespace", "openshift-dns"],
            rules: &[
                WEB_TO_API,
                "-> openshift-dns [k8s-app=kube-dns] TCP 5353",
                "-> openshift-dns [k8s-app=kube-dns] UDP 5353",
                "[k8s-app=kube-dns] <- shop [app=web] TCP 5353",
                "[k8s-app=kube-dns] <- shop [app=web] UDP 5353",
            ],
            no_rules: &["[k8s-app=kube-dns] <- shop [app=api]"],
            findings: &[],
        },
        Row {
            name: "name resolution over TCP alone, with --system",
            world: with_resolver(shop(), "kube-system", 53).tcp("10.244.1.10", "10.244.2.53", 53),
            arguments: &["--system"],
            rules: &["[k8s-app=kube-dns] <- shop [app=web] TCP 53", "[k8s-app=kube-dns] <- shop [app=web] UDP 53"],
            no_rules: &[],
            findings: &[],
        },
        Row {
            name: "a called pod's namespace has no name label: its own side is a rule, the caller's cannot be",
            world: with_unlabelled(shop(), "").tcp("10.244.1.10", "10.244.2.20", 80),
            arguments: &[],
            rules: &[WEB_TO_API, API_FROM_WEB, "legacy/allow-ingress-to-soap [app=soap] <- shop [app=web] TCP 80"],
            no_rules: &["shop/allow-egress-from-web [app=web] -> legacy"],
            findings: &[("namespace-label-missing", "shop/web -> legacy/soap TCP 80")],
        },
        Row {
            name: "a caller's namespace has no name label",
            world: with_unlabelled(shop(), "").tcp("10.244.2.20", "10.244.2.10", 8080),
            arguments: &[],
            rules: &[WEB_TO_API, API_FROM_WEB, "legacy/allow-egress-from-soap [app=soap] -> shop [app=api] TCP 8080"],
            no_rules: &["[app=api] <- legacy"],
            findings: &[("namespace-label-missing", "legacy/soap -> shop/api TCP 8080")],
        },
        Row {
            name: "the name label says another name",
            world: with_unlabelled(shop(), "kubernetes.io/metadata.name: other").tcp("10.244.1.10", "10.244.2.20", 80),
            arguments: &[],
            rules: &[WEB_TO_API],
            no_rules: &["shop/allow-egress-from-web [app=web] -> legacy", "-> other"],
            findings: &[("namespace-label-missing", "shop/web -> legacy/soap TCP 80")],
        },
        Row {
            name: "a namespace whose object is not in the inventory has the label",
            world: shop().pod("elsewhere", "soap", "10.244.2.20", "n2", "app=soap").tcp("10.244.1.10", "10.244.2.20", 80),
            arguments: &[],
            rules: &[WEB_TO_API, "shop/allow-egress-from-web [app=web] -> elsewhere [app=soap] TCP 80"],
            no_rules: &[],
            findings: &[],
        },
        Row {
            name: "ports picked at run time, one a caller, with --port-ranges",
            world: shop()
                .pod("shop", "one", "10.244.1.21", "n1", "app=one")
                .pod("shop", "two", "10.244.1.22", "n1", "app=two")
                .tcp("10.244.1.10", "10.244.2.10", 40001)
                .tcp("10.244.1.21", "10.244.2.10", 40007)
                .tcp("10.244.1.22", "10.244.2.10", 41000),
            arguments: &["--port-ranges"],
            rules: &[WEB_TO_API, "[app=api] <- [app=one] TCP 40007", "[app=two] -> [app=api] TCP 41000"],
            no_rules: &["[app=api] <- [app=one] TCP 40001"],
            findings: &[("dynamic-ports", "shop/web -> shop/api")],
        },
        Row {
            name: "ports picked at run time by pods that nothing selects",
            world: shop()
                .pod("shop", "bare-a", "10.244.1.31", "n1", "")
                .tcp("10.244.1.10", "10.244.1.31", 40001)
                .tcp("10.244.1.10", "10.244.1.31", 40007)
                .tcp("10.244.1.10", "10.244.1.31", 41000),
            arguments: &["--port-ranges"],
            rules: &[WEB_TO_API, API_FROM_WEB],
            no_rules: &[],
            findings: &[],
        },
        Row {
            name: "pods without labels cost their own rules",
            world: shop()
                .pod("shop", "bare-a", "10.244.1.31", "n1", "")
                .pod("shop", "bare-b", "10.244.1.32", "n1", "")
                .tcp("10.244.1.31", "10.244.2.10", 8080)
                .tcp("10.244.1.10", "10.244.1.32", 9000),
            arguments: &[],
            rules: &[WEB_TO_API, API_FROM_WEB],
            no_rules: &[],
            findings: &[],
        },
        Row {
            name: "a link-local caller of an exposed port opens nothing but itself",
            world: with_load_balancer(shop()).tcp("169.254.7.127", "10.244.1.10", 8080),
            arguments: &["--public", "any"],
            rules: &[WEB_TO_API, "[app=web] <- 169.254.7.127/32 TCP 8080"],
            no_rules: &["<- 0.0.0.0/0"],
            findings: &[],
        },
        Row {
            name: "the metadata service's address as the caller of an exposed port",
            world: with_load_balancer(shop()).tcp("169.254.169.254", "10.244.1.10", 8080),
            arguments: &["--public", "any"],
            rules: &[WEB_TO_API],
            no_rules: &["<- 0.0.0.0/0"],
            findings: &[],
        },
        Row {
            name: "the address of another node's tunnel device as caller, and of the own node's",
            world: shop().tcp("10.244.2.0", "10.244.1.10", 9443).tcp("10.244.1.1", "10.244.1.10", 9443),
            arguments: &[],
            rules: &[WEB_TO_API],
            no_rules: &["<- 10.244.1.1"],
            findings: &[],
        },
        Row {
            name: "addresses of nobody on either side",
            world: shop().tcp("10.244.2.200", "10.244.1.10", 80).tcp("10.244.1.10", "10.244.2.201", 80).tcp(
                "10.244.1.10",
                "100.64.0.9",
                443,
            ),
            arguments: &["--quarantine"],
            rules: &[WEB_TO_API],
            no_rules: &["10.244.2.200", "10.244.2.201"],
            findings: &[("unattributed-address", "10.244.2.200"), ("unattributed-address", "10.244.2.201")],
        },
    ];
    let mut wrong = Vec::new();
    for Row { name, world, arguments, rules, no_rules, findings } in rows {
        let learned = world.learn(arguments);
        if learned.code != Some(0) {
            wrong.push(format!("{name}: ended with {:?}: {}", learned.code, learned.messages));
            continue;
        }
        let written = learned.rules();
        for rule in rules.iter().filter(|rule| !written.iter().any(|line| line.contains(**rule))) {
            wrong.push(format!("{name}: no rule {rule} among {written:#?}"));
        }
        for rule in no_rules.iter().filter(|rule| written.iter().any(|line| line.contains(**rule))) {
            wrong.push(format!("{name}: there is a rule {rule}"));
        }
        for (code, part) in findings {
            if !learned.findings(code).iter().any(|finding| finding.contains(part)) {
                wrong.push(format!("{name}: no finding {code} of {part} among {:?}", learned.codes()));
            }
        }
        if learned.codes().contains("policy-withheld") {
            wrong.push(format!("{name}: withheld: {:#?}", learned.findings("policy-withheld")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_run_without_an_answered_connection_says_why_it_made_nothing() {
    let world = World::default()
        .node("n1", "192.168.1.11", &["10.244.1.0/24"])
        .namespace("shop")
        .pod("shop", "web", "10.244.1.10", "n1", "app=web")
        .pod("shop", "api", "10.244.1.11", "n1", "app=api")
        .attempt("10.244.1.10", "10.244.1.11", 80);
    let learned = world.learn(&[]);
    assert_eq!(learned.code, Some(2), "{}", learned.messages);
    assert!(learned.messages.contains("failed to find a connection"), "{}", learned.messages);
    assert!(!learned.messages.contains("defect"), "{}", learned.messages);
}
