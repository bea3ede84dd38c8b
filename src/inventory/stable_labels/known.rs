//! What is known of the labels that controllers put on pods: which last, and which the next event changes.
//!
//! Each row is of one project, with the place in its repository that says so. A row counts for a pod that has one of its `with`
//! labels, or for every pod where there are none: plain keys such as `role` or `app` mean different things to different projects.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::Event::{self, Change, FailOver, NodeChange, Replacement, Rollout, Run, Upgrade};
use crate::model::Labels;

/// What one project does with labels.
pub(super) struct Known {
    /// Labels of which one must be there; empty for every pod.
    with: &'static [&'static str],
    /// Labels whose values do not last, and until when they do. A key that ends in `*` stands for all that begin so.
    ends: &'static [(&'static str, Event)],
    /// Labels that mean the same pods tomorrow.
    lasts: &'static [&'static str],
    /// Labels that are on every pod of the kind, whatever their values: that they are there lasts.
    marks: &'static [&'static str],
}

/// A project without marks.
const fn project(with: &'static [&'static str], ends: &'static [(&'static str, Event)], lasts: &'static [&'static str]) -> Known {
    Known { with, ends, lasts, marks: &[] }
}

/// The label that names a Job's pods.
pub(crate) const RUN: &str = "batch.kubernetes.io/job-name";

/// The projects; Kubernetes itself comes last.
const TABLE: &[Known] = &[
    // kubernetes/website content/en/docs/concepts/overview/working-with-objects/common-labels.md; helm/helm-www docs/chart_best_practices/labels.md
    project(
        &[],
        &[("helm.sh/chart", Upgrade), ("chart", Upgrade), ("heritage", Upgrade), ("app.kubernetes.io/version", Upgrade)],
        &["app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"],
    ),
    // istio/api label/labels.yaml
    project(
        &[],
        &[("service.istio.io/canonical-revision", Upgrade), ("istio.io/rev", Upgrade), ("security.istio.io/tlsMode", Change)],
        &["service.istio.io/canonical-name"],
    ),
    // linkerd/linkerd2 pkg/k8s/labels.go
    project(
        &[],
        &[("linkerd.io/proxy-replicaset", Rollout), ("linkerd.io/proxy-job", Run)],
        &["linkerd.io/proxy-deployment", "linkerd.io/proxy-statefulset", "linkerd.io/proxy-daemonset"],
    ),
    // argoproj/argo-rollouts docs/features/ephemeral-metadata.md; which further labels change is known by other signs.
    project(&[], &[("rollouts-pod-template-hash", Rollout)], &[]),
    // argoproj/argo-workflows workflow/controller/workflowpod.go
    Known {
        with: &["workflows.argoproj.io/workflow"],
        ends: &[("workflows.argoproj.io/workflow", Run), ("workflows.argoproj.io/completed", Change)],
        lasts: &["workflows.argoproj.io/cron-workflow", "workflows.argoproj.io/workflow-template"],
        marks: &["workflows.argoproj.io/workflow"],
    },
    // tektoncd/pipeline docs/labels.md
    Known {
        with: &["tekton.dev/taskRun", "tekton.dev/pipelineRun"],
        ends: &[
            ("tekton.dev/taskRun", Run),
            ("tekton.dev/taskRunUID", Run),
            ("tekton.dev/pipelineRun", Run),
            ("tekton.dev/pipelineRunUID", Run),
            ("app.kubernetes.io/instance", Run),
        ],
        lasts: &["tekton.dev/pipeline", "tekton.dev/pipelineTask", "tekton.dev/task", "tekton.dev/clusterTask"],
        marks: &["tekton.dev/taskRun"],
    },
    // knative/serving pkg/reconciler/revision/resources/meta.go
    project(
        &["serving.knative.dev/revision"],
        &[
            ("serving.knative.dev/revision", Rollout),
            ("serving.knative.dev/revisionUID", Rollout),
            ("serving.knative.dev/configurationGeneration", Rollout),
            ("serving.knative.dev/configurationUID", Replacement),
            ("serving.knative.dev/serviceUID", Replacement),
            ("app", Rollout),
        ],
        &["serving.knative.dev/service", "serving.knative.dev/configuration"],
    ),
    // apache/spark resource-managers/kubernetes/core/src/main/scala/org/apache/spark/deploy/k8s/Constants.scala;
    // kubeflow/spark-operator pkg/common/spark.go
    Known {
        with: &["spark-role"],
        ends: &[
            ("spark-app-selector", Run),
            ("spark-exec-id", Replacement),
            ("spark-exec-resourceprofile-id", Run),
            ("spark-version", Upgrade),
            ("sparkoperator.k8s.io/submission-id", Run),
        ],
        lasts: &[
            "spark-role",
            "spark-app-name",
            "sparkoperator.k8s.io/app-name",
            "sparkoperator.k8s.io/scheduled-app-name",
            "sparkoperator.k8s.io/launched-by-spark-operator",
        ],
        marks: &["spark-app-selector"],
    },
    // apache/flink flink-kubernetes/src/main/java/org/apache/flink/kubernetes/utils/Constants.java
    project(&["type=flink-native-kubernetes"], &[], &["app", "component", "type"]),
    // ray-project/kuberay ray-operator/controllers/ray/utils/constant.go
    project(
        &["ray.io/cluster"],
        &[
            ("ray.io/cluster", Run),
            ("ray.io/identifier", Replacement),
            ("ray.io/worker-group-replica-*", Replacement),
            ("ray.io/replica-host-index", Replacement),
            ("ray.io/health-checked", Change),
            ("ray.io/serve", Change),
        ],
        &["ray.io/originated-from-cr-name", "ray.io/originated-from-crd", "ray.io/node-type", "ray.io/group"],
    ),
    // apache/airflow providers/cncf/kubernetes/src/airflow/providers/cncf/kubernetes/pod_generator.py, operators/pod.py
    project(
        &["dag_id"],
        &[
            ("run_id", Run),
            ("try_number", Run),
            ("map_index", Run),
            ("execution_date", Run),
            ("logical_date", Run),
            ("airflow-worker", Run),
            ("airflow_version", Upgrade),
            ("already_checked", Change),
        ],
        &["kubernetes_executor", "kubernetes_pod_operator", "dag_id"],
    ),
    // gitlab-org/gitlab-runner executors/kubernetes
    Known {
        with: &["job.runner.gitlab.com/pod", "project.runner.gitlab.com/id"],
        ends: &[
            ("pod", Run),
            ("job.runner.gitlab.com/*", Run),
            ("manager.runner.gitlab.com/*", Replacement),
            ("project.runner.gitlab.com/name", Change),
        ],
        lasts: &["project.runner.gitlab.com/id"],
        marks: &["job.runner.gitlab.com/pod"],
    },
    // jenkinsci/kubernetes-plugin src/main/java/org/csanchez/jenkins/plugins/kubernetes/PodTemplate.java; a label is of one run
    // where the template is written in the pipeline.
    project(&["jenkins/label"], &[("jenkins/label-digest", Run)], &["kubernetes.jenkins.io/controller", "jenkins"]),
    // actions/actions-runner-controller controllers/actions.github.com/resourcebuilder.go
    project(
        &["actions.github.com/scale-set-name"],
        &[("actions.github.com/organization", Change), ("actions.github.com/repository", Change)],
        &["actions.github.com/scale-set-name", "actions.github.com/scale-set-namespace", "actions-ephemeral-runner"],
    ),
    // cloudnative-pg/cloudnative-pg docs/src/labels_annotations.md
    project(
        &["cnpg.io/cluster"],
        &[
            ("cnpg.io/instanceName", Replacement),
            ("cnpg.io/instanceRole", FailOver),
            ("role", FailOver),
            ("cnpg.io/reload", Change),
        ],
        &["cnpg.io/cluster", "cnpg.io/podRole", "cnpg.io/jobRole", "cnpg.io/poolerName"],
    ),
    // zalando/postgres-operator pkg/util/config/config.go
    project(&["spilo-role", "application=spilo"], &[("spilo-role", FailOver)], &["application", "cluster-name"]),
    // CrunchyData/postgres-operator internal/naming/labels.go
    project(
        &["postgres-operator.crunchydata.com/cluster"],
        &[
            ("postgres-operator.crunchydata.com/role", FailOver),
            ("postgres-operator.crunchydata.com/instance", Replacement),
            ("postgres-operator.crunchydata.com/patroni", Change),
        ],
        &["postgres-operator.crunchydata.com/cluster", "postgres-operator.crunchydata.com/instance-set"],
    ),
    // strimzi/strimzi-kafka-operator operator-common/src/main/java/io/strimzi/operator/common/model/Labels.java
    project(
        &["strimzi.io/cluster"],
        &[
            ("strimzi.io/pod-name", Replacement),
            ("strimzi.io/broker-role", Change),
            ("strimzi.io/controller-role", Change),
            ("strimzi.io/controller-name", Replacement),
        ],
        &["strimzi.io/cluster", "strimzi.io/name", "strimzi.io/kind"],
    ),
    // spotahome/redis-operator operator/redisfailover/service/constants.go
    project(&["redisfailovers-role"], &[("redisfailovers-role", FailOver)], &[]),
    // OT-CONTAINER-KIT/redis-operator internal/controller/common; `role` is leader or follower by StatefulSet, and lasts.
    project(&["redis_setup_type"], &[("redis-role", FailOver)], &["app", "redis_setup_type", "role"]),
    // elastic/cloud-on-k8s pkg/controller/elasticsearch/label/label.go
    project(
        &["elasticsearch.k8s.elastic.co/cluster-name"],
        &[
            ("elasticsearch.k8s.elastic.co/version", Upgrade),
            ("elasticsearch.k8s.elastic.co/config-hash", Rollout),
            ("elasticsearch.k8s.elastic.co/node-*", Change),
        ],
        &["elasticsearch.k8s.elastic.co/cluster-name", "elasticsearch.k8s.elastic.co/statefulset-name"],
    ),
    // opensearch-project/opensearch-k8s-operator opensearch-operator/pkg/helpers/constants.go
    project(
        &["opensearch.org/opensearch-cluster", "opster.io/opensearch-cluster"],
        &[("opensearch.role", Change)],
        &[
            "opensearch.org/opensearch-cluster",
            "opensearch.org/opensearch-nodepool",
            "opster.io/opensearch-cluster",
            "opster.io/opensearch-nodepool",
        ],
    ),
    // mysql/mysql-operator mysqloperator/controller/innodbcluster/cluster_api.py
    project(&["mysql.oracle.com/cluster"], &[("mysql.oracle.com/cluster-role", FailOver)], &["mysql.oracle.com/cluster"]),
    // planetscale/vitess-operator pkg/apis/planetscale/v2/labels.go
    project(
        &["planetscale.com/cluster"],
        &[("planetscale.com/tablet-uid", Replacement), ("planetscale.com/tablet-index", Replacement)],
        &["planetscale.com/component", "planetscale.com/cluster", "planetscale.com/keyspace", "planetscale.com/shard"],
    ),
    // pingcap/tidb-operator api/core/v1alpha1/common_types.go
    project(
        &["pingcap.com/group"],
        &[
            ("pingcap.com/instance", Replacement),
            ("tidb.pingcap.com/member-id", Replacement),
            ("tidb.pingcap.com/store-id", Replacement),
        ],
        &["pingcap.com/cluster", "pingcap.com/component", "pingcap.com/group"],
    ),
    // k8ssandra/cass-operator pkg/reconciliation/reconcile_racks.go
    project(
        &["cassandra.datastax.com/cluster"],
        &[("cassandra.datastax.com/seed-node", Change), ("cassandra.datastax.com/node-state", Change)],
        &["cassandra.datastax.com/cluster", "cassandra.datastax.com/datacenter", "cassandra.datastax.com/rack"],
    ),
    // rook/rook pkg/operator/ceph/cluster/osd/labels.go, pkg/operator/ceph/controller/spec.go
    project(
        &["rook_cluster"],
        &[
            ("ceph-osd-id", Replacement),
            ("ceph_daemon_id", Replacement),
            ("mon", Replacement),
            ("mgr", Replacement),
            ("mgr_role", FailOver),
            ("osd", Replacement),
            ("device-class", Change),
            ("failure-domain", NodeChange),
            ("topology-location-*", NodeChange),
            ("app.kubernetes.io/instance", Replacement),
            ("ceph-version", Upgrade),
            ("rook-version", Upgrade),
        ],
        &["app", "rook_cluster", "rook_file_system", "rook_object_store"],
    ),
    // longhorn/longhorn-manager types/types.go
    project(
        &["longhorn.io/component"],
        &[
            ("longhorn.io/node", NodeChange),
            ("longhorn.io/instance-manager-image", Upgrade),
            ("longhorn.io/instance-manager-type", Upgrade),
        ],
        &["longhorn.io/component"],
    ),
    // kubevirt/kubevirt staging/src/kubevirt.io/api/core/v1/types.go
    project(
        &["kubevirt.io/created-by"],
        &[
            ("kubevirt.io/nodeName", NodeChange),
            ("kubevirt.io/created-by", Replacement),
            ("kubevirt.io/migrationJobUID", Run),
            ("kubevirt.io/outdatedLauncherImage", Upgrade),
        ],
        &["vmi.kubevirt.io/id", "vm.kubevirt.io/name", "kubevirt.io/domain"],
    ),
    // cert-manager/cert-manager pkg/apis/acme/v1/types.go
    project(
        &["acme.cert-manager.io/http01-solver"],
        &[("acme.cert-manager.io/http-domain", Run), ("acme.cert-manager.io/http-token", Run)],
        &["acme.cert-manager.io/http01-solver"],
    ),
    // openkruise/kruise-api apps/v1alpha1/cloneset_types.go, apps/pub/lifecycle.go
    project(&[], &[("apps.kruise.io/cloneset-instance-id", Replacement), ("lifecycle.apps.kruise.io/state", Change)], &[]),
    // volcano-sh/apis pkg/apis/batch/v1alpha1/labels.go
    project(
        &["volcano.sh/job-name"],
        &[("volcano.sh/task-index", Replacement), ("volcano.sh/job-version", Change), ("volcano.sh/job-retry-count", Run)],
        &["volcano.sh/job-name", "volcano.sh/job-namespace", "volcano.sh/task-spec", "volcano.sh/queue-name"],
    ),
    // kubeflow/trainer pkg/apis/kubeflow.org/v1/common_types.go
    project(
        &["training.kubeflow.org/job-name"],
        &[("training.kubeflow.org/replica-index", Replacement)],
        &["training.kubeflow.org/job-name", "training.kubeflow.org/replica-type"],
    ),
    // kubernetes-sigs/kueue pkg/controller
    project(
        &[],
        &[
            ("kueue.x-k8s.io/pod-group-name", Run),
            ("kueue.x-k8s.io/prebuilt-workload-name", Run),
            ("kueue.x-k8s.io/podset", Run),
            ("kueue.x-k8s.io/managed", Change),
        ],
        &[],
    ),
    // kubernetes-sigs/jobset api/jobset/v1alpha2/jobset_types.go
    project(
        &["jobset.sigs.k8s.io/jobset-name"],
        &[
            ("jobset.sigs.k8s.io/jobset-uid", Run),
            ("jobset.sigs.k8s.io/job-key", Run),
            ("jobset.sigs.k8s.io/job-index", Replacement),
            ("jobset.sigs.k8s.io/job-global-index", Replacement),
            ("jobset.sigs.k8s.io/restart-attempt", Run),
        ],
        &["jobset.sigs.k8s.io/jobset-name", "jobset.sigs.k8s.io/replicatedjob-name"],
    ),
    // kubernetes-sigs/lws api/leaderworkerset/v1/leaderworkerset_types.go
    project(
        &["leaderworkerset.sigs.k8s.io/name"],
        &[
            ("leaderworkerset.sigs.k8s.io/group-index", Replacement),
            ("leaderworkerset.sigs.k8s.io/worker-index", Replacement),
            ("leaderworkerset.sigs.k8s.io/group-key", Replacement),
            ("leaderworkerset.sigs.k8s.io/template-revision-hash", Rollout),
        ],
        &["leaderworkerset.sigs.k8s.io/name"],
    ),
    // crossplane/crossplane internal/controller/pkg/runtime
    project(
        &["pkg.crossplane.io/revision"],
        &[("pkg.crossplane.io/revision", Upgrade)],
        &["pkg.crossplane.io/provider", "pkg.crossplane.io/function"],
    ),
    // vmware-tanzu/velero pkg/apis/velero/v1/labels_annotations.go
    Known {
        with: &[],
        ends: &[
            ("velero.io/data-upload", Run),
            ("velero.io/data-download", Run),
            ("velero.io/pod-volume-backup", Run),
            ("velero.io/pod-volume-restore", Run),
            ("velero.io/async-operation-id", Run),
        ],
        lasts: &[],
        marks: &[
            "velero.io/data-upload",
            "velero.io/data-download",
            "velero.io/pod-volume-backup",
            "velero.io/pod-volume-restore",
        ],
    },
    // kedacore/keda pkg/scaling/executor/scale_jobs.go
    project(&["scaledjob.keda.sh/name"], &[], &["scaledjob.keda.sh/name"]),
    // rabbitmq/cluster-operator internal/metadata; dapr/dapr pkg/injector/consts; openfaas/faas-netes pkg/handlers/deploy.go
    project(&[], &[], &["dapr.io/app-id", "faas_function"]),
    // fission/fission pkg/executor/executortype/poolmgr, pkg/apis/core/v1/common.go: `managed` and what names the function change
    // when a warm pod gets one.
    project(
        &["environmentName"],
        &[
            ("functionUid", Change),
            ("functionName", Change),
            ("functionNamespace", Change),
            ("environmentUid", Replacement),
            ("env-runtime-hash", Rollout),
            ("managed", Change),
        ],
        &["environmentName", "environmentNamespace", "executorType"],
    ),
    // openshift/api apps/v1/consts.go: the value is NAME-REVISION.
    project(
        &["deploymentconfig"],
        &[("deployment", Rollout), ("openshift.io/deployment-config.latest-version", Rollout)],
        &["deploymentconfig"],
    ),
    // openshift/api apps/v1/consts.go, build/v1/consts.go
    Known {
        with: &[],
        ends: &[("openshift.io/build.name", Run), ("openshift.io/deployer-pod-for.name", Rollout)],
        lasts: &[],
        marks: &["openshift.io/build.name", "openshift.io/deployer-pod-for.name"],
    },
    // operator-framework/operator-lifecycle-manager pkg/controller/registry/reconciler/grpc.go
    project(
        &["olm.catalogSource"],
        &[
            ("olm.pod-spec-hash", Rollout),
            ("olm.service-spec-hash", Rollout),
            ("catalogsource.operators.coreos.com/update", Change),
        ],
        &["olm.catalogSource"],
    ),
    // operator-framework/operator-lifecycle-manager pkg/controller/bundle/bundle_unpacker.go
    Known {
        with: &[],
        ends: &[("operatorframework.io/bundle-unpack-ref", Run)],
        lasts: &[],
        marks: &["operatorframework.io/bundle-unpack-ref"],
    },
    // googleforgames/agones pkg/apis/agones/v1/common.go
    project(
        &["agones.dev/role"],
        &[("agones.dev/gameserver", Replacement), ("agones.dev/gameserverset", Rollout)],
        &["agones.dev/fleet", "agones.dev/role"],
    ),
    // jupyterhub/kubespawner kubespawner/spawner.py
    project(
        &["hub.jupyter.org/username"],
        &[("hub.jupyter.org/username", Replacement), ("hub.jupyter.org/servername", Replacement)],
        &["component", "app"],
    ),
    // dask/dask-kubernetes dask_kubernetes/operator/controller/controller.py
    project(
        &["dask.org/cluster-name"],
        &[("dask.org/worker-name", Replacement)],
        &["dask.org/cluster-name", "dask.org/component"],
    ),
    // kubernetes/website content/en/docs/reference/labels-annotations-taints
    Known {
        with: &[],
        ends: &[
            ("pod-template-hash", Rollout),
            ("controller-revision-hash", Rollout),
            ("pod-template-generation", Rollout),
            ("statefulset.kubernetes.io/pod-name", Replacement),
            ("apps.kubernetes.io/pod-index", Replacement),
            ("controller-uid", Run),
            ("job-name", Run),
            ("batch.kubernetes.io/*", Run),
            ("kubernetes.io/hostname", NodeChange),
            ("topology.*", NodeChange),
            ("failure-domain.beta.kubernetes.io/*", NodeChange),
            ("node.kubernetes.io/instance-type", NodeChange),
        ],
        lasts: &[],
        marks: &[
            RUN,
            "job-name",
            "statefulset.kubernetes.io/pod-name",
            "pod-template-generation",
            "rollouts-pod-template-hash",
            "pod-template-hash",
            "controller-revision-hash",
        ],
    },
];

/// Whether a label is there; `key=value` asks for the value too.
pub(crate) fn has(labels: &Labels, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|own| own == value),
        None => labels.contains_key(wanted),
    }
}

/// The table by its keys: a pod's labels are few, the rows are not.
struct Index {
    /// By a label's key: what rows ask for, and which rows.
    with: BTreeMap<&'static str, Vec<(&'static str, usize)>>,
    ends: BTreeMap<&'static str, Vec<(usize, Event)>>,
    /// Beginnings of keys.
    beginnings: Vec<(&'static str, usize, Event)>,
    lasts: BTreeMap<&'static str, Vec<usize>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { with: BTreeMap::new(), ends: BTreeMap::new(), beginnings: Vec::new(), lasts: BTreeMap::new() };
    for (row, known) in TABLE.iter().enumerate() {
        for wanted in known.with {
            let key = wanted.split_once('=').map_or(*wanted, |(key, _)| key);
            index.with.entry(key).or_default().push((wanted, row));
        }
        for (pattern, event) in known.ends {
            match pattern.strip_suffix('*') {
                Some(beginning) => index.beginnings.push((beginning, row, *event)),
                None => index.ends.entry(pattern).or_default().push((row, *event)),
            }
        }
        for key in known.lasts {
            index.lasts.entry(key).or_default().push(row);
        }
    }
    index
});

/// What is known of one pod's labels: the rows that count besides those that count for every pod.
pub(super) struct Knowledge(Vec<usize>);

impl Knowledge {
    /// The rows that count for pods with these labels.
    pub(super) fn of(labels: &Labels) -> Self {
        let asked = labels.keys().filter_map(|key| INDEX.with.get(key.as_str())).flatten();
        Self(asked.filter(|(wanted, _)| has(labels, wanted)).map(|(_, row)| *row).collect())
    }

    fn counts(&self, row: usize) -> bool {
        TABLE[row].with.is_empty() || self.0.contains(&row)
    }

    /// When the value of this label ends, if that is known.
    pub(super) fn end(&self, key: &str) -> Option<Event> {
        let exact = INDEX.ends.get(key).into_iter().flatten().find(|(row, _)| self.counts(*row)).map(|(_, event)| *event);
        let begins = || INDEX.beginnings.iter().find(|(beginning, row, _)| key.starts_with(beginning) && self.counts(*row));
        exact.or_else(|| begins().map(|(_, _, event)| *event))
    }

    /// Whether the label is known to last.
    pub(super) fn lasts(&self, key: &str) -> bool {
        INDEX.lasts.get(key).is_some_and(|rows| rows.iter().any(|row| self.counts(*row)))
    }

    /// Whether the label is what the project that made the pod identifies its pods by.
    pub(super) fn identifies(&self, key: &str) -> bool {
        INDEX.lasts.get(key).is_some_and(|rows| rows.iter().any(|row| self.0.contains(row)))
    }
}

/// The labels whose presence lasts, those of projects before those of Kubernetes itself: `Exists` may be asked of them.
pub(crate) fn marks() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|known| known.marks.iter().copied())
}
