//! The further interfaces of a pod, as Multus tells them in an annotation.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The annotations that list the interfaces of a pod; the second is the older name
/// (k8snetworkplumbingwg/network-attachment-definition-client, pkg/apis/k8s.cni.cncf.io/v1/types.go).
pub(super) const INTERFACE_ANNOTATIONS: &[&str] = &["k8s.v1.cni.cncf.io/network-status", "k8s.v1.cni.cncf.io/networks-status"];

/// What is read of an interface.
const READ: &[&str] = &["name", "interface", "ips", "default"];

/// One interface.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Interface {
    name: String,
    #[serde(rename = "interface")]
    device: String,
    ips: Vec<String>,
    default: bool,
}

/// The addresses of the interfaces that are not the pod's own in the sense of NetworkPolicy, each with the name of its network.
/// What cannot be read says nothing.
pub(super) fn secondary(annotations: &BTreeMap<String, String>, own: &BTreeSet<IpAddr>) -> BTreeMap<IpAddr, String> {
    let value = INTERFACE_ANNOTATIONS.iter().find_map(|key| annotations.get(*key));
    let interfaces: Vec<Interface> = value.and_then(|value| serde_json::from_str(value).ok()).unwrap_or_default();
    let mut secondary = BTreeMap::new();
    for Interface { name, device, ips, default } in interfaces {
        if default {
            continue;
        }
        let network = if name.is_empty() { device } else { name };
        let addresses = ips.iter().filter_map(|text| text.split('/').next()?.parse::<IpAddr>().ok());
        let further = addresses.map(|address| address.to_canonical()).filter(|address| !own.contains(address));
        secondary.extend(further.map(|address| (address, network.clone())));
    }
    secondary
}

/// The annotation's value with nothing but what is read of it; nothing where it cannot be read.
pub(super) fn narrow(value: &str) -> Option<String> {
    let interfaces: Vec<Map<String, Value>> = serde_json::from_str(value).ok()?;
    let kept: Vec<Map<String, Value>> = interfaces
        .into_iter()
        .map(|interface| interface.into_iter().filter(|(key, _)| READ.contains(&key.as_str())).collect())
        .collect();
    serde_json::to_string(&kept).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_further_interfaces_are_read() {
        let status = r#"[{"name":"cbr0","interface":"eth0","ips":["10.244.1.5"],"default":true,"dns":{}},
            {"name":"telco/macvlan","interface":"net1","ips":["192.168.7.5","fd00:7::5"],"mac":"02:00:00:00:00:01"},
            {"interface":"net2","ips":["10.244.1.5","192.168.8.5/24","none"]}, {"name":"dhcp","interface":"net3"}]"#;
        let own = BTreeSet::from(["10.244.1.5".parse().unwrap()]);
        let expected = [("192.168.7.5", "telco/macvlan"), ("192.168.8.5", "net2"), ("fd00:7::5", "telco/macvlan")];
        let expected: BTreeMap<IpAddr, String> =
            expected.into_iter().map(|(address, network)| (address.parse().unwrap(), network.to_owned())).collect();
        for key in INTERFACE_ANNOTATIONS {
            let annotations = BTreeMap::from([((*key).to_owned(), status.to_owned())]);
            assert_eq!(secondary(&annotations, &own), expected, "{key}");
            let narrowed = BTreeMap::from([((*key).to_owned(), narrow(status).unwrap())]);
            assert_eq!(secondary(&narrowed, &own), expected, "{key}: narrowed");
            assert!(!narrowed[*key].contains("mac\":") && !narrowed[*key].contains("dns"), "{narrowed:?}");
        }
        let malformed = BTreeMap::from([(INTERFACE_ANNOTATIONS[0].to_owned(), "net1@macvlan".to_owned())]);
        assert_eq!((secondary(&malformed, &own), narrow("net1@macvlan")), (BTreeMap::new(), None));
    }
}
