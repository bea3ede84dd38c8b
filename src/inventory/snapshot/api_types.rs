//! The API's own shapes, as far as they are read. What is absent or null is empty.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::Labels;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Envelope {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) generate_name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) labels: Labels,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) owner_references: Vec<OwnerReference>,
    pub(super) creation_timestamp: String,
    pub(super) deletion_timestamp: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnerReference {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) controller: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub(super) spec: NodeSpec,
    pub(super) status: NodeStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeSpec {
    #[serde(rename = "podCIDR")]
    pub(super) pod_cidr: String,
    #[serde(rename = "podCIDRs")]
    pub(super) pod_cidrs: Vec<String>,
    #[serde(rename = "providerID")]
    pub(super) provider_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeStatus {
    pub(super) addresses: Vec<NodeAddress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeAddress {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    pub(super) spec: PodSpec,
    pub(super) status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodSpec {
    pub(super) node_name: String,
    pub(super) host_network: bool,
    pub(super) dns_policy: String,
    pub(super) dns_config: DnsConfig,
    pub(super) restart_policy: String,
    pub(super) containers: Vec<Container>,
    pub(super) init_containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DnsConfig {
    pub(super) nameservers: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) ports: Vec<ContainerPort>,
    pub(super) command: Vec<String>,
    pub(super) args: Vec<String>,
    pub(super) restart_policy: String,
    pub(super) liveness_probe: Probe,
    pub(super) readiness_probe: Probe,
    pub(super) startup_probe: Probe,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Probe {
    pub(super) http_get: Probed,
    pub(super) tcp_socket: Probed,
    pub(super) grpc: Probed,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Probed {
    pub(super) port: Option<IntOrString>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerPort {
    pub(super) name: String,
    #[serde(rename = "containerPort")]
    pub(super) port: u16,
    pub(super) host_port: Option<u16>,
    pub(super) protocol: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodStatus {
    pub(super) phase: String,
    pub(super) start_time: String,
    #[serde(rename = "podIP")]
    pub(super) pod_ip: String,
    #[serde(rename = "podIPs")]
    pub(super) pod_ips: Vec<Ip>,
    #[serde(rename = "hostIP")]
    pub(super) host_ip: String,
    #[serde(rename = "hostIPs")]
    pub(super) host_ips: Vec<Ip>,
    pub(super) container_statuses: Vec<ContainerStatus>,
    pub(super) init_container_statuses: Vec<ContainerStatus>,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ip {
    pub(super) ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    pub(super) state: ContainerState,
    pub(super) last_state: ContainerState,
    pub(super) restart_count: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub(super) running: Running,
    pub(super) terminated: Terminated,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Running {
    pub(super) started_at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Terminated {
    pub(super) started_at: String,
    pub(super) finished_at: String,
    pub(super) exit_code: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) last_transition_time: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    pub(super) spec: ServiceSpec,
    pub(super) status: ServiceStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceSpec {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(rename = "clusterIP")]
    pub(super) cluster_ip: String,
    #[serde(rename = "clusterIPs")]
    pub(super) cluster_ips: Vec<String>,
    #[serde(rename = "externalIPs")]
    pub(super) external_ips: Vec<String>,
    pub(super) ports: Vec<ServicePort>,
    pub(super) selector: Labels,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ServicePort {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) port: u16,
    pub(super) target_port: Option<IntOrString>,
    pub(super) node_port: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum IntOrString {
    Int(i64),
    String(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ServiceStatus {
    pub(super) load_balancer: LoadBalancer,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LoadBalancer {
    pub(super) ingress: Vec<Ip>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EndpointSlice {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) ports: Vec<EndpointPort>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Endpoint {
    pub(super) addresses: Vec<String>,
    pub(super) target_ref: Reference,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EndpointPort {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) port: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoints {
    pub(super) subsets: Vec<EndpointSubset>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct EndpointSubset {
    pub(super) addresses: Vec<EndpointAddress>,
    pub(super) not_ready_addresses: Vec<EndpointAddress>,
    pub(super) ports: Vec<EndpointPort>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct EndpointAddress {
    pub(super) ip: String,
    pub(super) target_ref: Reference,
}

/// Deployment, ReplicaSet, StatefulSet, DaemonSet, and custom kinds made after them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Controller {
    pub(super) spec: ControllerSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ControllerSpec {
    pub(super) selector: Selector,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Selector {
    pub(super) match_labels: Labels,
}

/// A kind with a pod template.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Templated {
    pub(super) spec: TemplatedSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TemplatedSpec {
    pub(super) template: Template,
}

/// `ReplicationController`, and the `DeploymentConfig` made after it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReplicationController {
    pub(super) spec: ReplicationControllerSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReplicationControllerSpec {
    pub(super) selector: Labels,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Job {
    pub(super) spec: JobSpec,
    pub(super) status: JobStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct JobSpec {
    pub(super) template: Template,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct JobStatus {
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Template {
    pub(super) metadata: TemplateMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TemplateMetadata {
    pub(super) labels: Labels,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CronJob {
    pub(super) spec: CronJobSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CronJobSpec {
    pub(super) schedule: String,
    pub(super) time_zone: String,
    pub(super) suspend: bool,
    pub(super) job_template: JobTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct JobTemplate {
    pub(super) spec: JobSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ingress {
    pub(super) spec: IngressSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct IngressSpec {
    pub(super) default_backend: IngressBackend,
    pub(super) rules: Vec<IngressRule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IngressRule {
    pub(super) http: IngressHttp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IngressHttp {
    pub(super) paths: Vec<IngressPath>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IngressPath {
    pub(super) backend: IngressBackend,
}

/// `networking.k8s.io/v1`, and the flat form of the versions before.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct IngressBackend {
    pub(super) service: IngressService,
    pub(super) service_name: String,
    pub(super) service_port: Option<IntOrString>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IngressService {
    pub(super) name: String,
    pub(super) port: IngressPort,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IngressPort {
    pub(super) name: String,
    pub(super) number: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceCidr {
    pub(super) spec: ServiceCidrSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceCidrSpec {
    pub(super) cidrs: Vec<String>,
}

/// `ValidatingWebhookConfiguration` and `MutatingWebhookConfiguration`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WebhookConfiguration {
    pub(super) webhooks: Vec<Webhook>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Webhook {
    pub(super) client_config: ServiceCaller,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiService {
    pub(super) spec: ServiceCaller,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceCaller {
    pub(super) service: CalledService,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CalledService {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) port: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Autoscaler {
    pub(super) spec: AutoscalerSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AutoscalerSpec {
    pub(super) scale_target_ref: Reference,
}

/// `ServiceMonitor` and `PodMonitor` of `monitoring.coreos.com`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Monitor {
    pub(super) spec: MonitorSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct MonitorSpec {
    pub(super) selector: MonitorSelector,
    pub(super) namespace_selector: MonitoredNamespaces,
    pub(super) endpoints: Vec<MonitorEndpoint>,
    pub(super) pod_metrics_endpoints: Vec<MonitorEndpoint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct MonitorSelector {
    pub(super) match_labels: Labels,
    pub(super) match_expressions: Vec<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct MonitoredNamespaces {
    pub(super) any: bool,
    pub(super) match_names: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct MonitorEndpoint {
    pub(super) port: String,
    pub(super) port_number: Option<u16>,
    pub(super) target_port: Option<IntOrString>,
}
