//! What policies may allow beyond traffic: `verify --deny-excess` works it out from inventory, options and decisions, and from nothing
//! else. Policies are learned with some options and held against traffic with the same or others.

use std::fs;

use crate::world::World;

/// One row: what it shows, the cluster, what is seen when learning and what is seen later, options of `learn` and of `verify`,
/// decisions that both get, whether something is too much by then, and a line that must be told.
struct Row {
    what: &'static str,
    world: World,
    learned: Traffic,
    later: Option<Traffic>,
    learn: &'static [&'static str],
    verify: &'static [&'static str],
    decisions: &'static str,
    is_excess: bool,
    told: &'static str,
}

type Traffic = fn(World) -> World;

const WEB: &str = "10.244.1.10";
const DB: &str = "10.244.1.11";
const RESOLVER: &str = "10.244.1.53";

/// `web` and `db` in prod, a resolver in a namespace that is learned.
fn cluster() -> World {
    let resolver = "apiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: dns, labels: {k8s-app: kube-dns}}\nspec:\n  \
                    clusterIP: 10.96.0.10\n  selector: {app: resolver}\n  ports:\n  - {name: dns, port: 53, protocol: UDP, targetPort: 5353}\n  \
                    - {name: dns-tcp, port: 53, protocol: TCP, targetPort: 5353}";
    World::default()
        .node("n1", "10.0.0.1", &["10.244.1.0/24"])
        .namespace("prod")
        .namespace("dns")
        .pod("prod", "web", WEB, "n1", "app=web")
        .pod("prod", "db", DB, "n1", "app=db")
        .pod("dns", "resolver", RESOLVER, "n1", "app=resolver")
        .object(resolver)
}

/// The same, and `web` is behind a load balancer.
fn exposed() -> World {
    cluster().object(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: prod}\nspec:\n  type: LoadBalancer\n  clusterIP: 10.96.0.80\n  \
         selector: {app: web}\n  ports:\n  - {name: http, port: 80, targetPort: 8080}",
    )
}

/// The same, and the API server has two endpoints with a port each.
fn two_endpoints() -> World {
    let slice = |name: &str, address: &str, port: u16| {
        format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\nmetadata: {{name: {name}, namespace: default, \
             labels: {{kubernetes.io/service-name: kubernetes}}}}\nendpoints:\n- addresses: [{address}]\nports:\n- {{name: https, port: {port}, protocol: TCP}}"
        )
    };
    cluster()
        .object("apiVersion: v1\nkind: Service\nmetadata: {name: kubernetes, namespace: default}\nspec:\n  clusterIP: 10.96.0.1\n  ports:\n  - {name: https, port: 443}")
        .object(&slice("kubernetes", "172.20.0.5", 6443))
        .object(&slice("kubernetes-2", "172.20.0.6", 443))
}

fn query(world: World) -> World {
    world.tcp(WEB, DB, 5432)
}

fn resolving(world: World) -> World {
    query(world).resolve(WEB, RESOLVER, 5353, "example.com", &["203.0.113.9"])
}

fn one_caller(world: World) -> World {
    query(world).tcp("198.51.100.7", WEB, 8080)
}

fn three_callers(world: World) -> World {
    ["198.51.100.7", "198.51.100.23", "203.0.113.50"].into_iter().fold(query(world), |world, from| world.tcp(from, WEB, 8080))
}

fn backup(world: World) -> World {
    query(world).tcp(DB, "192.0.2.10", 22)
}

fn picked_ports(world: World) -> World {
    (0..12).fold(query(world), |world, number| world.tcp(WEB, DB, 40_000 + number * 7))
}

fn api(world: World) -> World {
    query(world).tcp(WEB, "172.20.0.5", 6443)
}

const POOL: &str = "version: 1\nwiden:\n- {from: prod/db, to: 192.0.2.0/28, port: TCP 22, bound: 16, reason: a pool}\n";

fn rows() -> Vec<Row> {
    let row = |what, world, learned, is_excess, told| Row {
        what,
        world,
        learned,
        later: None,
        learn: &[],
        verify: &[],
        decisions: "",
        is_excess,
        told,
    };
    let any: &[&str] = &["--public", "any"];
    vec![
        row("exact policies and the same traffic", cluster(), query, false, "1 edge: 1 allowed, 0 denied\n"),
        row(
            "names resolved over UDP by a resolver of a learned namespace: both sides may do so over TCP",
            cluster(),
            resolving,
            false,
            "prod/web -> dns/resolver TCP 5353, by dns/allow-ingress-to-resolver ingress[0]: name resolution over UDP and TCP\n",
        ),
        Row {
            later: Some(query),
            ..row(
                "nobody resolves a name any more",
                cluster(),
                resolving,
                true,
                "prod/web -> dns/resolver TCP 5353 UDP 5353, by ",
            )
        },
        Row {
            learn: &["--dns", "namespace"],
            verify: &["--dns", "namespace"],
            ..row("all pods of the namespace may, by option", cluster(), resolving, false, "name resolution over UDP and TCP\n")
        },
        Row {
            learn: &["--dns", "namespace"],
            ..row("the same without the option", cluster(), resolving, true, "prod/db -> dns/resolver TCP 5353 UDP 5353, by ")
        },
        Row {
            learn: any,
            verify: any,
            ..row("open to the internet by option", exposed(), one_caller, false, ": exposed on purpose\n")
        },
        Row {
            learn: any,
            verify: any,
            later: Some(query),
            ..row("the same, and nobody outside called since", exposed(), one_caller, false, ": exposed on purpose\n")
        },
        Row {
            learn: any,
            ..row(
                "the same without the option: one caller is no public",
                exposed(),
                one_caller,
                true,
                "-> prod/web TCP 8080, by ",
            )
        },
        row("open to the internet by who called", exposed(), three_callers, false, ": exposed on purpose\n"),
        Row {
            verify: &["--public", "exact"],
            ..row("the same, and only those seen are wanted", exposed(), three_callers, true, "-> prod/web TCP 8080, by ")
        },
        Row {
            learn: &["--port-ranges"],
            verify: &["--port-ranges"],
            ..row(
                "a range over ports picked at run time",
                cluster(),
                picked_ports,
                false,
                ": a range over ports picked at run time\n",
            )
        },
        Row {
            learn: &["--port-ranges"],
            ..row("the same without the option", cluster(), picked_ports, true, "prod/web -> prod/db TCP 40001-40006,")
        },
        Row { decisions: POOL, ..row("a range by decision", cluster(), backup, false, ": widened by decision: a pool\n") },
        Row {
            decisions: POOL,
            later: Some(query),
            ..row("the same, and none of it was called since", cluster(), backup, false, ": widened by decision: a pool\n")
        },
        Row {
            decisions: POOL,
            verify: &["--no-decisions"],
            ..row("the same for those who do not know the decision", cluster(), backup, true, "prod/db -> 192.0.2.0/29, ")
        },
        row(
            "all endpoints of the API server, each at its own port",
            two_endpoints(),
            api,
            false,
            "2 edges: 2 allowed, 0 denied\n",
        ),
    ]
}

#[test]
fn what_may_be_allowed_follows_from_inventory_options_and_decisions() {
    for row in rows() {
        let (first, later) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let decisions = first.path().join("decisions.yaml");
        fs::write(&decisions, row.decisions).unwrap();
        let by_decision = ["--decisions", decisions.to_str().unwrap()];
        let decided: &[&str] = if row.decisions.is_empty() { &["--no-decisions"] } else { &by_decision };
        let learned = (row.learned)(row.world.clone()).learn(&[row.learn, decided].concat());
        assert_eq!(learned.code, Some(0), "{}: {}", row.what, learned.messages);
        let seen = row.later.unwrap_or(row.learned)(row.world.clone());
        let (capture, inventory) = seen.write(later.path());
        let decided = if row.verify.contains(&"--no-decisions") { &[] } else { decided };
        let (code, stdout, stderr) =
            learned.verify(&capture, &inventory, &[row.verify, decided, &["--deny-excess", "--without-cluster"]].concat());
        assert_eq!(code, Some(i32::from(row.is_excess)), "{}: {stdout}{stderr}", row.what);
        assert!(stdout.contains(row.told), "{}: {stdout}{stderr}", row.what);
    }
}
