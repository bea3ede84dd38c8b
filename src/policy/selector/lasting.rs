//! What is known of the labels that controllers and tools put on pods: which last, and which only tell the kind of controller.

use crate::model::WorkloadName;

/// The label that names a Job's pods.
pub(super) const RUN: &str = "batch.kubernetes.io/job-name";

/// Whether it is a Job of its own: no CronJob gives each run another name, so the name is as lasting as the workload.
pub(super) fn is_run(name: &WorkloadName) -> bool {
    name.kind.0 == "Job"
}

/// Labels that controllers put on every pod they make: the values change, but that they are there tells the kind of controller.
pub(super) const MARKS: [&str; 7] = [
    RUN,
    "job-name",
    "statefulset.kubernetes.io/pod-name",
    "pod-template-generation",
    "rollouts-pod-template-hash",
    "pod-template-hash",
    "controller-revision-hash",
];

/// Labels that change from one pod, run or release to the next.
pub(super) fn is_volatile(key: &str) -> bool {
    const KEYS: [&str; 20] = [
        "pod-template-hash",
        "rollouts-pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "controller-uid",
        "job-name",
        "helm.sh/chart",
        "chart",
        "heritage",
        "app.kubernetes.io/version",
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "node.kubernetes.io/instance-type",
        "service.istio.io/canonical-revision",
        "security.istio.io/tlsMode",
    ];
    const PREFIXES: [&str; 2] = ["batch.kubernetes.io/", "topology."];
    KEYS.contains(&key) || PREFIXES.iter().any(|prefix| key.starts_with(prefix)) || key.contains("checksum")
}
