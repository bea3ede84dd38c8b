use k8s_openapi::api::networking::v1::NetworkPolicy;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{samples, strategies};
use crate::output::manifest::{read, write};

/// An egress policy to change one field of.
fn object() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": "a", "namespace": "b", "uid": "5", "resourceVersion": "7",
            "labels": {"app.kubernetes.io/managed-by": "netpol-gen", "team": "x"},
            "annotations": {"netpol-gen/class": "workload", "netpol-gen/workload": "Deployment/a"},
        },
        "spec": {
            "podSelector": {"matchLabels": {"app": "a"}},
            "policyTypes": ["Egress"],
            "egress": [{
                "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "c"}}, "podSelector": {}}],
                "ports": [{"protocol": "TCP", "port": 80}],
            }],
        },
    })
}

fn read_changed(pointer: &str, value: Value) -> Result<(), String> {
    let mut object = object();
    *object.pointer_mut(pointer).expect(pointer) = value;
    let object: NetworkPolicy = serde_json::from_value(object).expect("of the API's shape");
    read(&object).map(|_| ()).map_err(|refused| refused.to_string())
}

#[test]
fn what_the_model_cannot_say_is_refused() {
    let peer = "/spec/egress/0/to/0";
    for (pointer, value, expected) in [
        ("/metadata/name", Value::Null, "metadata.name: is absent"),
        ("/metadata/namespace", Value::Null, "metadata.namespace: is absent"),
        ("/metadata/labels", json!({}), "metadata.labels: app.kubernetes.io/managed-by is not netpol-gen"),
        ("/metadata/annotations", json!({"netpol-gen/class": "all"}), "metadata.annotations: netpol-gen/class is no class"),
        ("/spec", Value::Null, "spec: is absent"),
        ("/spec/podSelector", Value::Null, "spec.podSelector: is absent"),
        ("/spec/policyTypes", Value::Null, "spec.policyTypes: does not fit"),
        ("/spec/policyTypes", json!(["Ingress"]), "spec.policyTypes: does not fit"),
        ("/spec/policyTypes", json!(["Ingress", "Egress"]), "spec.policyTypes: does not fit"),
        ("/spec/egress", Value::Null, "spec.egress: is empty"),
        ("/spec/egress", json!([{}]), "spec.egress[0].to: is empty, which means everyone"),
        ("/spec/egress/0/to", json!([]), "spec.egress[0].to: is empty, which means everyone"),
        ("/spec/egress/0/to/0", json!({}), "spec.egress[0].to[0]: is empty"),
        ("/spec/egress/0/ports", json!([]), "spec.egress[0].ports: is empty, which means every port"),
        ("/spec/egress/0/ports/0/port", Value::Null, "spec.egress[0].ports[0].port: is absent"),
        ("/spec/egress/0/ports/0/port", json!("http"), "is a name"),
        ("/spec/egress/0/ports/0/port", json!(0), "0 is no port"),
        ("/spec/egress/0/ports/0/port", json!(65536), "65536 is no port"),
        ("/spec/egress/0/ports/0/protocol", json!("ICMP"), "ICMP is none of"),
        ("/spec/egress/0/ports/0", json!({"port": 80, "endPort": 79}), "is less than the port"),
        (peer, json!({"namespaceSelector": {}}), "must select one namespace"),
        (peer, json!({"namespaceSelector": {"matchLabels": {"name": "c"}}}), "must select one namespace"),
        (peer, json!({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}), "has an ipBlock beside a selector"),
        (peer, json!({"ipBlock": {"cidr": "10.0.0.1/8"}}), "10.0.0.1/8 has host bits"),
        (peer, json!({"ipBlock": {"cidr": "10.0.0.1"}}), "10.0.0.1 is no address range"),
        (peer, json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}}), "is no strict part"),
        (peer, json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}), "is no strict part"),
        (
            peer,
            json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}}),
            "operator Exists",
        ),
        (
            peer,
            json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["a", "b"]}]}}),
            "operator In",
        ),
        (peer, json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "NotIn"}]}}), "operator NotIn"),
    ] {
        let refused = read_changed(pointer, value.clone()).expect_err(&format!("{pointer} {value}"));
        assert!(refused.contains(expected), "{pointer} {value}: {refused}");
    }
}

#[test]
fn other_spellings_of_the_same_are_taken() {
    for (pointer, value) in [
        ("/spec/egress/0/to/0", json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "c"}}})),
        ("/spec/egress/0/ports/0", json!({"port": 80})),
        ("/spec/egress/0/ports/0", json!({"port": 80, "endPort": 80})),
        ("/spec/podSelector", json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]})),
    ] {
        assert_eq!(read_changed(pointer, value.clone()), Ok(()), "{pointer} {value}");
    }
}

#[test]
fn the_samples_are_written_as_the_api_documents_them() {
    let deny = json!(write(&samples::default_deny("prod").policy));
    assert_eq!(deny["spec"], json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    let dns = json!(write(&samples::dns("prod").policy));
    assert_eq!(
        dns["spec"]["egress"],
        json!([{
            "to": [{
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }],
            "ports": [{"protocol": "TCP", "port": 53}, {"protocol": "UDP", "port": 53}],
        }])
    );
}

proptest! {
    #[test]
    fn read_is_the_inverse_of_write(policy in strategies::policy()) {
        prop_assert_eq!(read(&write(&policy)), Ok(policy));
    }
}
