//! The kinds that are asked for.

/// A kind of object, as the API addresses it.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its group; empty for the core group.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its plural, as in paths and RBAC rules.
    pub plural: &'static str,
    /// Whether there is no inventory without it.
    pub is_required: bool,
    /// Whether clusters in use may not have it (a recent kind, or one of a platform), so that its absence is nothing to tell.
    pub may_be_absent: bool,
}

/// Every kind that is asked for; a wildcard never is. All that the inventory reads but `Endpoints`, which `EndpointSlice` has replaced. What identities rest on comes first,
/// so that missing rights are told at once.
pub const RESOURCES: &[Resource] = &[
    required("namespaces", "Namespace"),
    required("pods", "Pod"),
    required("services", "Service"),
    resource("", "nodes", "Node"),
    resource("", "replicationcontrollers", "ReplicationController"),
    resource("discovery.k8s.io", "endpointslices", "EndpointSlice"),
    resource("apps", "deployments", "Deployment"),
    resource("apps", "replicasets", "ReplicaSet"),
    resource("apps", "statefulsets", "StatefulSet"),
    resource("apps", "daemonsets", "DaemonSet"),
    resource("batch", "jobs", "Job"),
    resource("batch", "cronjobs", "CronJob"),
    resource("networking.k8s.io", "ingresses", "Ingress"),
    resource("networking.k8s.io", "networkpolicies", "NetworkPolicy"),
    resource("admissionregistration.k8s.io", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
    resource("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
    resource("apiregistration.k8s.io", "apiservices", "APIService"),
    Resource { version: "v2", ..resource("autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler") },
    // Since Kubernetes 1.33.
    Resource { may_be_absent: true, ..resource("networking.k8s.io", "servicecidrs", "ServiceCIDR") },
    // Who has which address, by network plug-ins and platforms.
    custom("cilium.io", "v2", "ciliumnodes", "CiliumNode"),
    custom("crd.projectcalico.org", "v1", "ippools", "IPPool"),
    custom("crd.projectcalico.org", "v1", "blockaffinities", "BlockAffinity"),
    custom("crd.projectcalico.org", "v1", "ipamblocks", "IPAMBlock"),
    custom("crd.projectcalico.org", "v1", "felixconfigurations", "FelixConfiguration"),
    custom("config.openshift.io", "v1", "networks", "Network"),
    custom("acn.azure.com", "v1alpha", "nodenetworkconfigs", "NodeNetworkConfig"),
    custom("kubeovn.io", "v1", "subnets", "Subnet"),
    // What pods and their owners belong to in the end.
    custom("apps.openshift.io", "v1", "deploymentconfigs", "DeploymentConfig"),
    custom("build.openshift.io", "v1", "builds", "Build"),
    custom("argoproj.io", "v1alpha1", "rollouts", "Rollout"),
    custom("argoproj.io", "v1alpha1", "workflows", "Workflow"),
    custom("argoproj.io", "v1alpha1", "cronworkflows", "CronWorkflow"),
    custom("postgresql.cnpg.io", "v1", "clusters", "Cluster"),
    custom("postgresql.cnpg.io", "v1", "poolers", "Pooler"),
    custom("kafka.strimzi.io", "v1beta2", "kafkas", "Kafka"),
    custom("kafka.strimzi.io", "v1beta2", "kafkaconnects", "KafkaConnect"),
    custom("kafka.strimzi.io", "v1beta2", "kafkanodepools", "KafkaNodePool"),
    custom("core.strimzi.io", "v1beta2", "strimzipodsets", "StrimziPodSet"),
    custom("elasticsearch.k8s.elastic.co", "v1", "elasticsearches", "Elasticsearch"),
    custom("kubevirt.io", "v1", "virtualmachines", "VirtualMachine"),
    custom("kubevirt.io", "v1", "virtualmachineinstances", "VirtualMachineInstance"),
    // A Service of Knative is named by its Configuration.
    custom("serving.knative.dev", "v1", "configurations", "Configuration"),
    custom("serving.knative.dev", "v1", "revisions", "Revision"),
    custom("sparkoperator.k8s.io", "v1beta2", "sparkapplications", "SparkApplication"),
    custom("sparkoperator.k8s.io", "v1beta2", "scheduledsparkapplications", "ScheduledSparkApplication"),
    custom("flink.apache.org", "v1beta1", "flinkdeployments", "FlinkDeployment"),
    custom("ray.io", "v1", "rayclusters", "RayCluster"),
    custom("ray.io", "v1", "rayjobs", "RayJob"),
    custom("ray.io", "v1", "rayservices", "RayService"),
    custom("tekton.dev", "v1", "pipelineruns", "PipelineRun"),
    custom("tekton.dev", "v1", "taskruns", "TaskRun"),
    custom("actions.github.com", "v1alpha1", "autoscalingrunnersets", "AutoscalingRunnerSet"),
    custom("actions.github.com", "v1alpha1", "ephemeralrunnersets", "EphemeralRunnerSet"),
    custom("actions.github.com", "v1alpha1", "ephemeralrunners", "EphemeralRunner"),
    custom("apps.kruise.io", "v1alpha1", "clonesets", "CloneSet"),
    custom("jobset.x-k8s.io", "v1alpha2", "jobsets", "JobSet"),
    custom("operators.coreos.com", "v1alpha1", "catalogsources", "CatalogSource"),
    // Whom Prometheus is told to ask.
    custom("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor"),
    custom("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor"),
];

/// All are stable, nearly all `v1`.
const fn resource(group: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource { group, version: "v1", kind, plural, is_required: false, may_be_absent: false }
}

/// A kind that only some platforms have. Of one that the cluster serves in another version nothing is read.
const fn custom(group: &'static str, version: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource { version, may_be_absent: true, ..resource(group, plural, kind) }
}

const fn required(plural: &'static str, kind: &'static str) -> Resource {
    Resource { is_required: true, ..resource("", plural, kind) }
}

impl Resource {
    /// Its `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Where all objects of the kind are listed, of all namespaces.
    #[must_use]
    pub fn path(&self) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        format!("{root}/{}/{}", self.api_version(), self.plural)
    }

    /// Its name as `kubectl api-resources` and RBAC messages give it: `pods`, `ingresses.networking.k8s.io`.
    #[must_use]
    pub fn name(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The rule of a `ClusterRole` that allows listing and watching it.
    #[must_use]
    pub fn rule(&self) -> String {
        format!(r#"{{apiGroups: ["{}"], resources: ["{}"], verbs: ["list", "watch"]}}"#, self.group, self.plural)
    }
}

/// A shell command that writes with `kubectl` what [`crate::cluster::list`] asks for. `kubectl get` of several kinds fails as a whole
/// where the cluster lacks one of them, so those that it may lack are asked for one by one.
#[must_use]
pub fn kubectl_command() -> String {
    let names = |may_be_absent: bool| {
        let resources = RESOURCES.iter().filter(move |resource| resource.may_be_absent == may_be_absent);
        resources.map(Resource::name).collect::<Vec<String>>()
    };
    format!(
        "{{ kubectl get {} -A -o json; for kind in {}; do kubectl get \"$kind\" -A -o json 2>/dev/null || true; done; }} > cluster.json\n",
        names(false).join(","),
        names(true).join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_and_other_groups_are_addressed_differently() {
        let of = |kind: &str| RESOURCES.iter().find(|resource| resource.kind == kind).expect("a known kind");
        let rows = [
            ("Pod", "v1", "/api/v1/pods", "pods", r#"{apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"]}"#),
            (
                "Ingress",
                "networking.k8s.io/v1",
                "/apis/networking.k8s.io/v1/ingresses",
                "ingresses.networking.k8s.io",
                r#"{apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: ["list", "watch"]}"#,
            ),
        ];
        for (kind, api_version, path, name, rule) in rows {
            let resource = of(kind);
            assert_eq!(
                (resource.api_version().as_str(), resource.path().as_str(), resource.name().as_str(), resource.rule().as_str()),
                (api_version, path, name, rule),
                "{kind}"
            );
        }
    }

    #[test]
    fn what_a_cluster_may_lack_is_asked_for_apart() {
        let command = kubectl_command();
        assert!(command.starts_with("{ kubectl get namespaces,pods,services,nodes,"), "{command}");
        let (together, apart) = command.split_once("-A -o json; for kind in ").expect("two parts");
        for resource in RESOURCES {
            let name = resource.name();
            let is_together = together.split([',', ' ']).any(|word| word == name);
            let is_apart = apart.split([';', ' ']).any(|word| word == name);
            assert_eq!((is_together, is_apart), (!resource.may_be_absent, resource.may_be_absent), "{name}");
        }
        assert!(!command.contains("secret") && !command.contains("configmap"), "{command}");
    }

    #[test]
    fn a_kind_means_one_resource() {
        // Gaps of a watch are told by kind.
        let kinds: std::collections::BTreeSet<&str> = RESOURCES.iter().map(|resource| resource.kind).collect();
        assert_eq!(kinds.len(), RESOURCES.len());
        assert!(RESOURCES.iter().all(|resource| !resource.plural.contains('*') && !resource.group.contains('*')));
    }
}
