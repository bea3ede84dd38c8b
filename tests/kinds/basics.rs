//! A plain cluster: the measure for all other kinds.

use std::collections::BTreeSet;

use crate::world::World;

#[test]
fn two_pods_that_talk_get_a_rule_on_each_side() {
    let learned = World::default()
        .node("n1", "192.168.0.1", &["10.244.1.0/24"])
        .namespace("prod")
        .pod("prod", "web", "10.244.1.10", "n1", "app=web")
        .pod("prod", "db", "10.244.1.11", "n1", "app=db")
        .tcp("10.244.1.10", "10.244.1.11", 5432)
        .learn(&[]);
    assert_eq!(learned.code, Some(0), "{}", learned.messages);
    let expected =
        ["prod/allow-egress-from-web [app=web] -> [app=db] TCP 5432", "prod/allow-ingress-to-db [app=db] <- [app=web] TCP 5432"];
    assert_eq!(learned.rules(), BTreeSet::from(expected.map(str::to_owned)));
}
