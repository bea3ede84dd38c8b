//! How the pods of platforms and operators are told apart where owner references alone mislead.
//!
//! One table: a sign by which pods are known (labels, owners), where the name of the workload is, and the label by which pods of one
//! owner that do different things are split. The sources of the labels are in [`known`](crate::inventory::stable_labels::known).
//! Wrong for pods on which a person put another project's labels.

use crate::inventory::generated;
use crate::inventory::stable_labels::known::has;
use crate::model::Labels;

/// Pods of one platform.
#[derive(Clone, Copy)]
struct Platform {
    /// Labels that a pod must have, `key` or `key=value`.
    labels: &'static [&'static str],
    /// Kinds of which one must own the pod, directly or not; empty for any pod.
    owners: &'static [&'static str],
    /// Where the workload's name is: the first of these that says one.
    names: &'static [(Kind, Name)],
    /// What splits the pods.
    split: Option<Split>,
}

/// What a workload is called by its kind.
enum Kind {
    Fixed(&'static str),
    /// The value of a label, or else this kind.
    Label(&'static str, &'static str),
}

/// Where a workload's name is.
enum Name {
    /// In a label of the pod.
    Label(&'static str),
    /// In a label of the pod, unless its value was made up for one run.
    PlainLabel(&'static str),
    /// In such a label, before what was generated for one run.
    LabelStem(&'static str),
    /// In a label, before a number.
    LabelNumber(&'static str),
    /// It is the name of the owner of this kind.
    Owner(&'static str),
    /// It is that name, before what was generated; where twice something was, before both.
    OwnerStem(&'static str),
    /// It is that name, before a number.
    OwnerNumber(&'static str),
    /// All pods of the namespace with the signs are one workload.
    Fixed(&'static str),
}

/// A label by which pods of one owner are split into workloads.
#[derive(Clone, Copy)]
struct Split {
    key: &'static str,
    /// Pods with this value keep the plain name.
    main: &'static str,
}

const fn platform(labels: &'static [&'static str], names: &'static [(Kind, Name)]) -> Platform {
    Platform { labels, owners: &[], names, split: None }
}

const fn split(platform: Platform, key: &'static str, main: &'static str) -> Platform {
    Platform { split: Some(Split { key, main }), ..platform }
}

const fn owned_by(platform: Platform, owners: &'static [&'static str]) -> Platform {
    Platform { owners, ..platform }
}

use Kind::Fixed as Is;
use Name::{Fixed, Label, LabelNumber, LabelStem, OwnerNumber, OwnerStem, PlainLabel};

const TABLE: &[Platform] = &[
    // Knative: each revision has a Deployment of its own.
    platform(
        &["serving.knative.dev/revision"],
        &[
            (Is("Service"), Label("serving.knative.dev/service")),
            (Is("Configuration"), Label("serving.knative.dev/configuration")),
        ],
    ),
    // Spark: the driver is a bare pod and owns the executors; the id of a run is in no name that lasts.
    split(
        platform(
            &["spark-role"],
            &[
                (Is("ScheduledSparkApplication"), Label("sparkoperator.k8s.io/scheduled-app-name")),
                (Is("SparkApplication"), LabelStem("sparkoperator.k8s.io/app-name")),
                (Is("SparkApplication"), LabelStem("spark-app-name")),
                (Is("SparkApplication"), Fixed("spark")),
            ],
        ),
        "spark-role",
        "",
    ),
    // Flink: the JobManager's Deployment owns the TaskManagers, which its selector does not mean.
    split(platform(&["type=flink-native-kubernetes"], &[(Is("Deployment"), Label("app"))]), "component", "jobmanager"),
    // Ray: RayJob and RayService make a RayCluster for each run or version.
    split(
        platform(
            &["ray.io/cluster"],
            &[
                (Kind::Label("ray.io/originated-from-crd", "RayCluster"), Label("ray.io/originated-from-cr-name")),
                (Is("RayCluster"), LabelStem("ray.io/cluster")),
            ],
        ),
        "ray.io/node-type",
        "",
    ),
    // Strimzi: StrimziPodSet > Kafka, KafkaConnect, KafkaNodePool.
    owned_by(
        platform(&["strimzi.io/cluster"], &[(Kind::Label("strimzi.io/kind", "Kafka"), Label("strimzi.io/name"))]),
        &["StrimziPodSet"],
    ),
    // CloudNativePG: jobs for bootstrapping belong to the Cluster too; poolers are Deployments.
    owned_by(
        split(platform(&["cnpg.io/jobRole"], &[(Is("Cluster"), Label("cnpg.io/cluster"))]), "cnpg.io/jobRole", ""),
        &["Job", "Cluster"],
    ),
    owned_by(platform(&["cnpg.io/cluster"], &[(Is("Cluster"), Label("cnpg.io/cluster"))]), &["Cluster"]),
    // Crunchy: a StatefulSet for each instance.
    split(
        platform(
            &["postgres-operator.crunchydata.com/instance-set"],
            &[(Is("PostgresCluster"), Label("postgres-operator.crunchydata.com/cluster"))],
        ),
        "postgres-operator.crunchydata.com/instance-set",
        "",
    ),
    // Rook: a Deployment for each daemon; a monitor that fails is replaced by another one.
    platform(&["rook_cluster", "ceph_daemon_type"], &[(Is("CephCluster"), Label("app"))]),
    platform(&["rook_cluster", "ceph-osd-id"], &[(Is("CephCluster"), Label("app"))]),
    // KubeVirt: VirtualMachineInstance > VirtualMachine > VirtualMachinePool.
    owned_by(
        platform(
            &["kubevirt.io/created-by"],
            &[
                (Is("VirtualMachinePool"), Name::Owner("VirtualMachinePool")),
                (Is("VirtualMachine"), Label("vm.kubevirt.io/name")),
                (Is("VirtualMachine"), Label("vmi.kubevirt.io/id")),
                (Is("VirtualMachine"), Name::Owner("VirtualMachineInstance")),
            ],
        ),
        &["VirtualMachineInstance"],
    ),
    // Tekton: a TaskRun for each task of each PipelineRun.
    split(
        platform(&["tekton.dev/taskRun", "tekton.dev/pipeline"], &[(Is("Pipeline"), LabelStem("tekton.dev/pipeline"))]),
        "tekton.dev/pipelineTask",
        "",
    ),
    platform(
        &["tekton.dev/taskRun"],
        &[
            (Is("Task"), Label("tekton.dev/task")),
            (Is("ClusterTask"), Label("tekton.dev/clusterTask")),
            (Is("TaskRun"), LabelStem("tekton.dev/taskRun")),
        ],
    ),
    // Argo Workflows.
    platform(
        &["workflows.argoproj.io/workflow"],
        &[
            (Is("CronWorkflow"), Name::Owner("CronWorkflow")),
            (Is("CronWorkflow"), Label("workflows.argoproj.io/cron-workflow")),
            (Is("WorkflowTemplate"), Label("workflows.argoproj.io/workflow-template")),
            (Is("Workflow"), LabelStem("workflows.argoproj.io/workflow")),
        ],
    ),
    // GitHub's runners: EphemeralRunner (one for each pod) > EphemeralRunnerSet > AutoscalingRunnerSet.
    split(
        platform(
            &["actions.github.com/scale-set-name"],
            &[(Is("AutoscalingRunnerSet"), Label("actions.github.com/scale-set-name"))],
        ),
        "app.kubernetes.io/component",
        "runner",
    ),
    platform(&["runner-deployment-name"], &[(Is("RunnerDeployment"), Label("runner-deployment-name"))]),
    // cert-manager: Challenge > Order > CertificateRequest > Certificate, one of each for every renewal.
    platform(&["acme.cert-manager.io/http01-solver"], &[(Is("Challenge"), Fixed("cm-acme-http-solver"))]),
    // Agones: GameServer > GameServerSet > Fleet, each with a generated part more than its owner.
    platform(
        &["agones.dev/role"],
        &[(Is("Fleet"), Label("agones.dev/fleet")), (Is("Fleet"), Name::Owner("Fleet")), (Is("Fleet"), OwnerStem("GameServer"))],
    ),
    // Longhorn: an instance manager for each node and image.
    owned_by(
        platform(&["longhorn.io/component"], &[(Is("InstanceManager"), Label("longhorn.io/component"))]),
        &["InstanceManager"],
    ),
    // Velero: a pod for each volume of each backup.
    platform(&["velero.io/data-upload"], &[(Is("DataUpload"), Fixed("data-upload"))]),
    platform(&["velero.io/data-download"], &[(Is("DataDownload"), Fixed("data-download"))]),
    platform(&["velero.io/pod-volume-backup"], &[(Is("PodVolumeBackup"), Fixed("pod-volume-backup"))]),
    platform(&["velero.io/pod-volume-restore"], &[(Is("PodVolumeRestore"), Fixed("pod-volume-restore"))]),
    // TiDB Operator v2: an object for each instance, owned by its group.
    owned_by(platform(&["pingcap.com/group"], &[(Is("PDGroup"), Label("pingcap.com/group"))]), &["PD"]),
    owned_by(platform(&["pingcap.com/group"], &[(Is("TiKVGroup"), Label("pingcap.com/group"))]), &["TiKV"]),
    owned_by(platform(&["pingcap.com/group"], &[(Is("TiDBGroup"), Label("pingcap.com/group"))]), &["TiDB"]),
    owned_by(platform(&["pingcap.com/group"], &[(Is("TiFlashGroup"), Label("pingcap.com/group"))]), &["TiFlash"]),
    owned_by(platform(&["pingcap.com/group"], &[(Is("TiCDCGroup"), Label("pingcap.com/group"))]), &["TiCDC"]),
    // Vitess: a pod for each tablet.
    split(
        owned_by(platform(&["planetscale.com/shard"], &[(Is("VitessShard"), Name::Owner("VitessShard"))]), &["VitessShard"]),
        "planetscale.com/component",
        "vttablet",
    ),
    // LeaderWorkerSet: the workers' StatefulSet is owned by the leader's pod.
    platform(&["leaderworkerset.sigs.k8s.io/name"], &[(Is("LeaderWorkerSet"), Label("leaderworkerset.sigs.k8s.io/name"))]),
    split(
        platform(&["jobset.sigs.k8s.io/jobset-name"], &[(Is("JobSet"), LabelStem("jobset.sigs.k8s.io/jobset-name"))]),
        "jobset.sigs.k8s.io/replicatedjob-name",
        "",
    ),
    split(platform(&["volcano.sh/job-name"], &[(Is("Job"), LabelStem("volcano.sh/job-name"))]), "volcano.sh/task-spec", ""),
    split(
        platform(
            &["training.kubeflow.org/job-name"],
            &[
                (Is("PyTorchJob"), OwnerStem("PyTorchJob")),
                (Is("TFJob"), OwnerStem("TFJob")),
                (Is("MPIJob"), OwnerStem("MPIJob")),
                (Is("XGBoostJob"), OwnerStem("XGBoostJob")),
                (Is("PaddleJob"), OwnerStem("PaddleJob")),
            ],
        ),
        "training.kubeflow.org/replica-type",
        "",
    ),
    platform(&["scaledjob.keda.sh/name"], &[(Is("ScaledJob"), Label("scaledjob.keda.sh/name"))]),
    // Pods without owners, by the label that their maker puts on all of them.
    split(platform(&["kubernetes_pod_operator", "dag_id"], &[(Is("DAG"), Label("dag_id"))]), "task_id", ""),
    platform(&["kubernetes_executor", "dag_id"], &[(Is("DAG"), Label("dag_id"))]),
    platform(
        &["job.runner.gitlab.com/pod"],
        &[(Is("GitLabProject"), Label("project.runner.gitlab.com/id")), (Is("GitLabProject"), Fixed("gitlab-runner-job"))],
    ),
    platform(
        &["jenkins/label"],
        &[(Is("JenkinsAgent"), PlainLabel("jenkins/label")), (Is("JenkinsAgent"), Fixed("jenkins-agent"))],
    ),
    platform(&["hub.jupyter.org/username"], &[(Is("JupyterHub"), Label("component"))]),
    split(
        platform(&["environmentName", "executorType=poolmgr"], &[(Is("Environment"), Label("environmentName"))]),
        "executorType",
        "poolmgr",
    ),
    split(platform(&["dask.org/cluster-name"], &[(Is("DaskCluster"), Label("dask.org/cluster-name"))]), "dask.org/component", ""),
    // Crossplane: a Deployment for each revision of a package.
    platform(
        &["pkg.crossplane.io/revision"],
        &[(Is("Provider"), Label("pkg.crossplane.io/provider")), (Is("Function"), Label("pkg.crossplane.io/function"))],
    ),
    // OpenShift: Build > BuildConfig, and the pods that carry out a rollout.
    platform(
        &["openshift.io/build.name"],
        &[
            (Is("BuildConfig"), Name::Owner("BuildConfig")),
            (Is("BuildConfig"), OwnerNumber("Build")),
            (Is("BuildConfig"), LabelNumber("openshift.io/build.name")),
        ],
    ),
    platform(&["openshift.io/deployer-pod-for.name"], &[(Is("DeploymentConfig"), Fixed("deployer"))]),
    platform(&["operatorframework.io/bundle-unpack-ref"], &[(Is("Job"), Fixed("bundle-unpack"))]),
];

/// The kind and name of the workload that a pod belongs to, as its platform has it; nothing for a pod of none. `chain` are the
/// kinds and names of its owners, from the pod up.
pub(super) fn identify(labels: &Labels, chain: &[(String, String)]) -> Option<(String, String)> {
    let is_owned = |platform: &Platform| {
        platform.owners.is_empty() || chain.iter().any(|(kind, _)| platform.owners.contains(&kind.as_str()))
    };
    let is_meant = |platform: &&Platform| platform.labels.iter().all(|wanted| has(labels, wanted)) && is_owned(platform);
    let platform = TABLE.iter().find(is_meant)?;
    let (kind, base) = platform.names.iter().find_map(|(kind, name)| Some((kind, name.find(labels, chain)?)))?;
    let kind = match kind {
        Kind::Fixed(kind) => *kind,
        Kind::Label(key, otherwise) => labels.get(*key).filter(|kind| !kind.is_empty()).map_or(*otherwise, String::as_str),
    };
    let part = platform.split.as_ref().and_then(|Split { key, main }| labels.get(*key).filter(|part| part != main));
    let name = match part.filter(|part| !part.is_empty()) {
        Some(part) => format!("{base}-{part}"),
        None => base,
    };
    Some((kind.to_owned(), name))
}

impl Name {
    fn find(&self, labels: &Labels, chain: &[(String, String)]) -> Option<String> {
        let label = |key: &str| labels.get(key).filter(|value| !value.is_empty()).map(String::as_str);
        let owner = |kind: &str| chain.iter().find(|(own, _)| own == kind).map(|(_, name)| name.as_str());
        let name = match self {
            Self::Label(key) => label(key)?,
            Self::PlainLabel(key) => label(key).filter(|value| generated::form(value).is_none())?,
            Self::LabelStem(key) => label(key).map(|value| generated::stem(value).unwrap_or(value))?,
            Self::LabelNumber(key) => label(key).map(|value| generated::without_number(value).unwrap_or(value))?,
            Self::Owner(kind) => owner(kind)?,
            Self::OwnerStem(kind) => {
                let name = owner(kind)?;
                let once = generated::stem(name).unwrap_or(name);
                generated::stem(once).unwrap_or(once)
            }
            Self::OwnerNumber(kind) => owner(kind).map(|name| generated::without_number(name).unwrap_or(name))?,
            Self::Fixed(name) => name,
        };
        Some(name.to_owned())
    }
}
