use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::{samples, strategies};
use crate::emit::render::{all, kustomization, policy, read_policy, stream};
use crate::emit::{EmitError, Templates};
use crate::suspicion::Reasons;

fn embedded() -> Templates {
    Templates::embedded().expect("parses")
}

/// The built-in templates with one text of the policy template replaced.
fn changed(from: &str, to: &str) -> Templates {
    let source = include_str!("../../../templates/policy.yaml");
    assert!(source.contains(from), "{from}");
    let source = source.replacen(from, to, 1);
    Templates::with(BTreeMap::from([("policy.yaml", ("mine/policy.yaml".into(), source))])).expect("parses")
}

#[test]
fn a_policy_reads_like_one_written_by_hand() {
    let text = policy(&samples::ingress_to_db("prod"), &embedded()).expect("renders");
    let expected = "\
# Written by netpol-gen from observed traffic; a run that finds something else replaces it.
# Which pods may connect to db (Deployment).
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow-ingress-to-db
  namespace: prod
  labels:
    app.kubernetes.io/managed-by: netpol-gen
  annotations:
    netpol-gen/class: workload
    netpol-gen/workload: Deployment/db
spec:
  podSelector:
    matchLabels:
      role: db
  policyTypes:
  - Ingress
  ingress:
  # prod/api -> prod/db TCP 3306
  #   12 connections, 2026-09-21T14:13:20.123Z to 2026-09-21T14:18:20.123Z; direction by SYN; \
asked for db.prod.svc.cluster.local; through Service prod/db
  - from:
    - podSelector:
        matchLabels:
          name: api-pod
    ports:
    - protocol: TCP
      port: 3306
";
    assert_eq!(text, expected);
}

#[test]
fn evidence_is_bounded() {
    let text = policy(&samples::internet_to_web("prod"), &embedded()).expect("renders");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("  # ")).collect();
    assert_eq!(lines.len(), 13, "{text}");
    assert_eq!(lines.last(), Some(&"  # and 3 more edges, 24 connections, direction by SYN or better"), "{text}");
    assert!(text.contains("\n# Note: 9 outside addresses were seen"), "{text}");
}

#[test]
fn a_template_that_says_something_else_is_refused() {
    let explained = samples::ingress_to_db("prod");
    for (from, to, expected) in [
        ("    ports:", "    - podSelector: {}\n    ports:", "spec.ingress[0].from["),
        ("  namespace: {{ metadata.namespace }}", "  namespace: other", "metadata.namespace"),
        ("  - {{ type }}", "  - {{ type }}\n  - Egress", "spec.policyTypes"),
        (
            "      port: {{ port.port }}",
            "      port: {{ port.port + 1 }}",
            "spec.ingress[0].ports[0].port should be 3306 and is 3307",
        ),
        ("      port: {{ port.port }}", "      port: \"{{ port.port }}\"", "is a name"),
        ("      port: {{ port.port }}", "", "every port"),
        (
            "      port: {{ port.port }}",
            "      portNumber: \"{{ port.port }}\"",
            "spec.ingress[0].ports[0].portNumber should be nothing",
        ),
        ("spec:\n", "status: {}\nspec:\n", "status"),
        ("  name: {{ metadata.name }}", "  name: {{ metadata.name }}\n  generateName: x", "metadata.generateName"),
        ("kind: NetworkPolicy", "kind: Policy", "kind"),
        ("  labels:", "  labels:\n    on: x", "`on` is not a string"),
        ("{{ label }}", "!!str {{ label }}", "tag"),
    ] {
        let refused = policy(&explained, &changed(from, to)).expect_err(to);
        let whole = format!("{refused}: {}", std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default());
        assert!(whole.contains("mine/policy.yaml"), "{to}: {whole}");
        assert!(whole.contains(expected), "{to}: {whole}");
    }
}

#[test]
fn an_extra_rule_is_refused() {
    let extra = "{%- endif %}\n  - from:\n    - podSelector: {}\n    ports:\n    - protocol: TCP\n      port: 22\n";
    let source = include_str!("../../../templates/policy.yaml");
    let source = format!("{}{extra}", source.trim_end().strip_suffix("{%- endif %}").expect("ends so"));
    let templates = Templates::with(BTreeMap::from([("policy.yaml", ("mine/policy.yaml".into(), source))])).expect("parses");
    let refused = policy(&samples::ingress_to_db("prod"), &templates).expect_err("an extra rule");
    assert!(
        matches!(&refused, EmitError::TemplateDiffers { difference, .. } if difference.path.starts_with("spec.ingress[")),
        "{refused}"
    );
}

#[test]
fn a_template_may_add_labels_and_change_the_layout() {
    let templates = changed("  labels:", "  labels: # ours\n    team: \"shop\"");
    let explained = samples::ingress_to_db("prod");
    let text = policy(&explained, &templates).expect("renders");
    assert!(text.contains("    team: \"shop\"\n"), "{text}");
    assert_eq!(read_policy(&text), Some(explained.policy));
}

#[test]
fn a_kustomization_lists_its_resources_and_nothing_else() {
    let resources = BTreeSet::from(["on".to_owned(), "prod".to_owned()]);
    let text = kustomization("kustomization.yaml", "All\nof it.", &resources, &embedded()).expect("renders");
    assert!(
        text.ends_with(
            "# All\\nof it.\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- \"on\"\n- prod\n"
        ),
        "{text}"
    );
    let source = include_str!("../../../templates/kustomization.yaml").replace("resources:", "namePrefix: x-\nresources:");
    let templates = Templates::with(BTreeMap::from([("kustomization.yaml", ("mine".into(), source))])).expect("parses");
    let refused = kustomization("kustomization.yaml", "", &resources, &templates).expect_err("a prefix").to_string();
    assert!(refused.contains("namePrefix should be nothing"), "{refused}");
}

#[test]
fn a_stream_ends_with_the_default_denies() {
    let all = [samples::shop("prod"), samples::shop("dev")].concat();
    let text = stream(&all, &embedded(), NonZeroUsize::MIN).expect("renders");
    let documents: Vec<_> = text.split("---\n").map(|text| read_policy(text).expect("reads")).collect();
    let order: Vec<String> = documents.iter().map(|policy| format!("{}/{}", policy.namespace, policy.class.name())).collect();
    let expected = [
        "dev/dns",
        "dev/workload",
        "dev/internet",
        "prod/dns",
        "prod/workload",
        "prod/internet",
        "dev/default-deny",
        "prod/default-deny",
    ];
    assert_eq!(order, expected);
}

#[test]
fn many_threads_render_what_one_does() {
    let namespaces: Vec<String> = (0..30).map(|number| format!("team-{number}")).collect();
    let policies: Vec<_> = namespaces.iter().flat_map(|namespace| samples::shop(namespace)).collect();
    let expected: Vec<String> = policies.iter().map(|explained| policy(explained, &embedded()).expect("renders")).collect();
    // Whoever renders it, what is told is the first that fails.
    let refusing = changed("kind: NetworkPolicy", "kind: {{ 'NetworkPolicy' if metadata.namespace < 'team-4' else 'Nothing' }}");
    let refused = policies.iter().find_map(|explained| policy(explained, &refusing).err()).expect("team-4").to_string();
    for threads in [1, 2, 3, 7, 1000].map(|threads| NonZeroUsize::new(threads).expect("some")) {
        for count in [0, 1, 15, 16, 17, 33, policies.len()] {
            let texts = all(&policies[..count], &Reasons::new(), &embedded(), threads).expect("renders");
            assert_eq!(texts, expected[..count], "{count} policies, {threads} threads");
        }
        let first = all(&policies, &Reasons::new(), &refusing, threads).expect_err("one is refused").to_string();
        assert_eq!(first, refused, "{threads} threads");
    }
}

proptest! {
    #[test]
    fn render_and_read_back_is_identity(explained in strategies::explained()) {
        let text = policy(&explained, &embedded());
        let text = text.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        prop_assert_eq!(read_policy(&text), Some(explained.policy));
        prop_assert!(text.lines().all(|line| line.trim_start().starts_with('#') || !line.contains('#') || line.contains('"')), "{}", text);
    }
}
