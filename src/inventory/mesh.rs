//! Service meshes: who is in one, and through which port its proxy takes everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Labels;

/// A service mesh, as far as pods show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mesh {
    /// Istio with a proxy in the pod.
    Istio,
    /// Istio's ambient mode: the node's ztunnel takes the pod's traffic.
    IstioAmbient,
    /// Linkerd.
    Linkerd,
    /// Dapr.
    Dapr,
    /// Consul Connect.
    Consul,
    /// Kuma.
    Kuma,
}

/// The port of HBONE, Istio's tunnel between proxies: it carries connections to every port of a pod
/// (istio.io, ops/deployment/application-requirements and ambient/usage/networkpolicy).
pub const HBONE: u16 = 15008;
/// The port at which Linkerd's proxy takes connections for every port of its pod (linkerd2, charts/linkerd-control-plane/values.yaml,
/// `proxy.ports.inbound`).
pub const LINKERD_INBOUND: u16 = 4143;

/// Containers that speak for the others of their pod: what they send and receive is not what the application does. Side-cars
/// among the init containers (`restartPolicy: Always`) count too.
pub(super) const SIDE_CARS: &[&str] = &[
    "istio-proxy",
    "linkerd-proxy",
    "kuma-sidecar",
    "consul-dataplane",
    "consul-connect-envoy-sidecar",
    "envoy-sidecar",
    "envoy",
    "nginx-mesh-sidecar",
    "daprd",
];

/// The annotations of pods that tell a mesh, with the value they have then; without one, the annotation alone tells it.
///
/// Sources: istio `pkg/config/constants` and `api/annotation`, consul-k8s `connect-inject/constants`, kuma
/// `pkg/plugins/runtime/k8s/metadata`.
const BY_ANNOTATION: &[(&str, Option<&str>, Mesh)] = &[
    ("ambient.istio.io/redirection", Some("enabled"), Mesh::IstioAmbient),
    ("sidecar.istio.io/status", None, Mesh::Istio),
    ("consul.hashicorp.com/connect-inject-status", Some("injected"), Mesh::Consul),
    ("kuma.io/sidecar-injected", Some("true"), Mesh::Kuma),
];

/// The labels of pods that tell a mesh. Sources: istio `api/label`, linkerd2 `pkg/k8s/labels.go`, dapr `pkg/injector/consts`.
const BY_LABEL: &[(&str, Option<&str>, Mesh)] = &[
    (DATAPLANE_MODE, Some("ambient"), Mesh::IstioAmbient),
    ("linkerd.io/control-plane-ns", None, Mesh::Linkerd),
    ("dapr.io/sidecar-injected", Some("true"), Mesh::Dapr),
    ("consul.hashicorp.com/connect-inject-status", Some("injected"), Mesh::Consul),
];

/// The containers that tell a mesh.
const BY_CONTAINER: &[(&str, Mesh)] = &[
    ("istio-proxy", Mesh::Istio),
    ("linkerd-proxy", Mesh::Linkerd),
    ("daprd", Mesh::Dapr),
    ("consul-dataplane", Mesh::Consul),
    ("consul-connect-envoy-sidecar", Mesh::Consul),
    ("kuma-sidecar", Mesh::Kuma),
];

/// Of a pod, or of a namespace for all its pods that do not say otherwise.
const DATAPLANE_MODE: &str = "istio.io/dataplane-mode";

/// The annotations of pods that are read and kept in an inventory.
pub(super) const ANNOTATIONS: [&str; BY_ANNOTATION.len()] = {
    let mut keys = [""; BY_ANNOTATION.len()];
    let mut position = 0;
    while position < keys.len() {
        keys[position] = BY_ANNOTATION[position].0;
        position += 1;
    }
    keys
};

impl Mesh {
    /// What the annotations of a pod tell.
    pub(super) fn by_annotations(annotations: &BTreeMap<String, String>) -> Option<Self> {
        found(BY_ANNOTATION, |key| annotations.get(key).map(String::as_str))
    }

    /// What the rest tells: the labels of a pod, its containers, the labels of its namespace.
    pub(super) fn of(labels: &Labels, containers: &BTreeSet<String>, namespace: Option<&Labels>) -> Option<Self> {
        let of_pod = |key: &str| labels.get(key).map(String::as_str);
        let by_container = || BY_CONTAINER.iter().find(|(name, _)| containers.contains(*name)).map(|(_, mesh)| *mesh);
        let by_namespace = || {
            let is_ambient = namespace?.get(DATAPLANE_MODE).is_some_and(|mode| mode == "ambient");
            (is_ambient && of_pod(DATAPLANE_MODE).is_none()).then_some(Self::IstioAmbient)
        };
        found(BY_LABEL, of_pod).or_else(by_container).or_else(by_namespace)
    }

    /// Whether connections to that TCP port of a pod in this mesh may be meant for any other port of the pod.
    #[must_use]
    pub const fn carries_every_port(self, port: u16) -> bool {
        match self {
            Self::Istio | Self::IstioAmbient => port == HBONE,
            Self::Linkerd => port == LINKERD_INBOUND,
            Self::Dapr | Self::Consul | Self::Kuma => false,
        }
    }
}

fn found<'a>(signs: &[(&str, Option<&str>, Mesh)], value: impl Fn(&str) -> Option<&'a str>) -> Option<Mesh> {
    let is_told = |(key, wanted, _): &&(&str, Option<&str>, Mesh)| {
        value(key).is_some_and(|value| wanted.is_none_or(|wanted| wanted == value))
    };
    signs.iter().find(is_told).map(|(.., mesh)| *mesh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meshes_are_told_by_their_signs() {
        let map = |text: &str| -> BTreeMap<String, String> {
            text.split_whitespace()
                .filter_map(|pair| pair.split_once('='))
                .map(|(key, value)| (key.into(), value.into()))
                .collect()
        };
        let rows = [
            ("redirected by ztunnel", "ambient.istio.io/redirection=enabled", "", "", "", Some(Mesh::IstioAmbient)),
            ("not redirected", "ambient.istio.io/redirection=disabled", "", "", "", None),
            ("mode of the pod", "", "istio.io/dataplane-mode=ambient", "", "", Some(Mesh::IstioAmbient)),
            ("mode of the namespace", "", "", "", "istio.io/dataplane-mode=ambient", Some(Mesh::IstioAmbient)),
            ("opted out", "", "istio.io/dataplane-mode=none", "", "istio.io/dataplane-mode=ambient", None),
            ("injected", "sidecar.istio.io/status={}", "", "", "", Some(Mesh::Istio)),
            (
                "side-car of a namespace in ambient mode",
                "",
                "",
                "istio-proxy",
                "istio.io/dataplane-mode=ambient",
                Some(Mesh::Istio),
            ),
            ("Linkerd by label", "", "linkerd.io/control-plane-ns=linkerd", "", "", Some(Mesh::Linkerd)),
            ("Linkerd by container", "", "", "linkerd-proxy", "", Some(Mesh::Linkerd)),
            ("Dapr", "", "dapr.io/sidecar-injected=true", "", "", Some(Mesh::Dapr)),
            ("Consul", "consul.hashicorp.com/connect-inject-status=injected", "", "", "", Some(Mesh::Consul)),
            ("Kuma", "kuma.io/sidecar-injected=true", "", "", "", Some(Mesh::Kuma)),
            ("no mesh", "", "app=web", "main", "team=a", None),
        ];
        for (message, annotations, labels, containers, namespace, expected) in rows {
            let labels = Labels::from_iter(map(labels));
            let namespace = Labels::from_iter(map(namespace));
            let containers = containers.split_whitespace().map(Into::into).collect();
            let found = Mesh::by_annotations(&map(annotations)).or_else(|| Mesh::of(&labels, &containers, Some(&namespace)));
            assert_eq!(found, expected, "{message}");
        }
    }
}
