//! Policies that the API server would refuse.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::json;

use super::{policy, shop};
use crate::verify::{Evaluator, PolicyFault};

#[test]
fn malformed_policies_are_refused_by_name() {
    let from = |peer| json!({"podSelector": {}, "ingress": [{"from": [peer]}]});
    let port = |port| json!({"podSelector": {}, "ingress": [{"ports": [port]}]});
    let selector = |expression| json!({"podSelector": {"matchExpressions": [expression]}});
    let rows = [
        (from(json!({"ipBlock": {"cidr": "10.0.0.0"}})), "`10.0.0.0` is not a CIDR"),
        (from(json!({"ipBlock": {"cidr": "10.0.0.0/33"}})), "`10.0.0.0/33` is not a CIDR"),
        (from(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["x"]}})), "`x` is not a CIDR"),
        (
            from(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}})),
            "except `11.0.0.0/16` is not a strict part of `10.0.0.0/8`",
        ),
        (
            from(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}})),
            "except `10.0.0.0/8` is not a strict part of `10.0.0.0/8`",
        ),
        (
            from(json!({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["fd00::/8"]}})),
            "except `fd00::/8` is not a strict part of `0.0.0.0/0`",
        ),
        (from(json!({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}})), "a peer has both ipBlock and a selector"),
        (from(json!({})), "a peer is empty"),
        (port(json!({"port": 0})), "0 is not a port"),
        (port(json!({"port": 65536})), "65536 is not a port"),
        (port(json!({"port": -1})), "-1 is not a port"),
        (port(json!({"port": ""})), "`` is no name of a port"),
        (port(json!({"port": "5432"})), "`5432` is no name of a port"),
        (port(json!({"port": "Http"})), "`Http` is no name of a port"),
        (port(json!({"port": "a-name-too-long-"})), "`a-name-too-long-` is no name of a port"),
        (port(json!({"port": "a--b"})), "`a--b` is no name of a port"),
        (port(json!({"endPort": 90})), "endPort 90 without a numeric port"),
        (port(json!({"port": "http", "endPort": 90})), "endPort 90 without a numeric port"),
        (port(json!({"port": 100, "endPort": 90})), "endPort 90 does not fit port 100"),
        (port(json!({"port": 100, "endPort": 65536})), "endPort 65536 does not fit port 100"),
        (port(json!({"port": 100, "protocol": "tcp"})), "unknown protocol `tcp`"),
        (selector(json!({"key": "a", "operator": "Is", "values": ["b"]})), "unknown operator `Is`"),
        (selector(json!({"key": "a", "operator": "In"})), "operator In on `a` without values"),
        (selector(json!({"key": "a", "operator": "NotIn", "values": []})), "operator NotIn on `a` without values"),
        (selector(json!({"key": "a", "operator": "Exists", "values": ["b"]})), "operator Exists on `a` with values"),
        (json!({"podSelector": {}, "policyTypes": ["ingress"]}), "unknown policy type `ingress`"),
        (json!({"podSelector": {}, "policyTypes": ["Ingress"], "egress": [{"ports": [{"port": 0}]}]}), "0 is not a port"),
    ];
    let world = shop();
    for (spec, fault) in rows {
        let error = Evaluator::new(&[policy("fine", json!({"podSelector": {}})), policy("broken", spec)], &world).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.fault.to_string().as_str()), ("evaluate policy shop/broken", fault));
    }
    let nameless: NetworkPolicy = serde_json::from_value(json!({"metadata": {}, "spec": {"podSelector": {}}})).unwrap();
    let error = Evaluator::new(&[nameless], &world).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.fault), ("evaluate policy default/", PolicyFault::NameMissing));
}

#[test]
fn host_bits_of_a_block_do_not_matter() {
    let block = json!([{"ipBlock": {"cidr": "10.0.0.77/8"}}]);
    let policies = [policy("block", json!({"podSelector": {}, "ingress": [{"from": block}]}))];
    let world = shop();
    let evaluator = Evaluator::new(&policies, &world).unwrap();
    let verdict =
        evaluator.verdict(super::place(&world, "10.99.0.1"), super::place(&world, "shop/web-0"), crate::model::Protocol::Tcp, 80);
    assert_eq!(verdict.answer(), crate::verify::Answer::Allowed, "as the API server and network plug-ins take it");
}
