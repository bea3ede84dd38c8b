//! What runs and ends: pipelines, batch jobs, runners, sessions.

use super::super::Event::{Change, Replacement, Rollout, Run, Upgrade};
use super::{Known, project};

/// The projects.
pub(super) const TABLE: &[Known] = &[
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
            ("kueue.x-k8s.io/workload", Run),
            ("kueue.x-k8s.io/cluster-queue-name", Change),
            ("kueue.x-k8s.io/tas", Change),
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
    // vmware-tanzu/velero pkg/apis/velero/v1/labels_annotations.go: on all that was restored.
    project(&[], &[("velero.io/backup-name", Replacement), ("velero.io/restore-name", Replacement)], &[]),
    // PrefectHQ/prefect src/integrations/prefect-kubernetes/prefect_kubernetes/worker.py
    project(
        &["prefect.io/flow-run-id"],
        &[
            ("prefect.io/flow-run-id", Run),
            ("prefect.io/flow-run-name", Run),
            ("prefect.io/deployment-updated", Rollout),
            ("prefect.io/version", Upgrade),
        ],
        &["prefect.io/flow-name", "prefect.io/deployment-name"],
    ),
    // dagster-io/dagster python_modules/libraries/dagster-k8s/dagster_k8s/job.py
    project(
        &["dagster/run-id"],
        &[("dagster/run-id", Run), ("dagster/op", Run)],
        &[
            "app.kubernetes.io/name",
            "app.kubernetes.io/instance",
            "app.kubernetes.io/component",
            "dagster/job",
            "dagster/code-location",
        ],
    ),
    // nextflow-io/nextflow plugins/nf-k8s/src/main/nextflow/k8s/K8sTaskHandler.groovy
    project(
        &["nextflow.io/runName"],
        &[
            ("nextflow.io/runName", Run),
            ("nextflow.io/sessionId", Run),
            ("nextflow.io/taskName", Run),
            ("runName", Run),
            ("sessionId", Run),
            ("taskName", Run),
        ],
        &["nextflow.io/app", "nextflow.io/processName"],
    ),
    // flyteorg/flyte flytepropeller/pkg/controller/nodes/task/k8s, flyteplugins/go/tasks/pluginmachinery
    project(
        &["execution-id"],
        &[("execution-id", Run), ("shard-key", Run), ("node-id", Run)],
        &["project", "domain", "workflow-name", "task-name"],
    ),
    // airbytehq/airbyte-platform airbyte-workload-launcher, PodLabeler
    project(
        &["airbyte=job-pod", "connection_id"],
        &[("job_id", Run), ("attempt_id", Run), ("auto_id", Run), ("mutex_key", Run), ("workload_id", Run)],
        &["airbyte", "workspace_id"],
    ),
    // drone-runners/drone-runner-kube engine/compiler/labels.go
    project(
        &["io.drone"],
        &[
            ("io.drone.build.number", Run),
            ("io.drone.build.event", Run),
            ("io.drone.created", Run),
            ("io.drone.expires", Run),
            ("io.drone.name", Run),
            ("io.drone.stage.number", Run),
        ],
        &["io.drone", "io.drone.repo.namespace", "io.drone.repo.name", "io.drone.stage.name"],
    ),
    // aquasecurity/trivy-operator pkg/trivyoperator/constants.go
    project(
        &["trivy-operator.resource.name"],
        &[
            ("trivy-operator.resource.name", Run),
            ("trivy-operator.resource.kind", Run),
            ("trivy-operator.resource.namespace", Run),
            ("resource-spec-hash", Run),
            ("trivy-operator.container.name", Run),
        ],
        &["app.kubernetes.io/managed-by", "vulnerabilityReport.scanner"],
    ),
    // dask/dask-gateway dask-gateway-server/dask_gateway_server/backends/kubernetes/controller.py
    project(
        &["gateway.dask.org/cluster"],
        &[("gateway.dask.org/cluster", Run)],
        &["app.kubernetes.io/component", "gateway.dask.org/instance"],
    ),
    // kubeflow/katib pkg/controller.v1beta1/consts/const.go
    project(
        &["katib.kubeflow.org/experiment"],
        &[("katib.kubeflow.org/trial", Run), ("katib.kubeflow.org/trial-name", Run)],
        &["katib.kubeflow.org/experiment"],
    ),
    // flux-iac/tofu-controller controllers/tf_controller_runner.go
    project(
        &["app.kubernetes.io/created-by=tf-controller"],
        &[("app.kubernetes.io/instance", Run), ("tf.weave.works/tls-secret-name", Run)],
        &["app.kubernetes.io/created-by", "app.kubernetes.io/name"],
    ),
    // openshift-pipelines/pipelines-as-code pkg/apis/pipelinesascode/keys/keys.go
    project(
        &[],
        &[
            ("pipelinesascode.tekton.dev/sha", Run),
            ("pipelinesascode.tekton.dev/pull-request", Run),
            ("pipelinesascode.tekton.dev/check-run-id", Run),
            ("pipelinesascode.tekton.dev/event-type", Run),
            ("pipelinesascode.tekton.dev/branch", Run),
            ("pipelinesascode.tekton.dev/sender", Run),
            ("pipelinesascode.tekton.dev/state", Change),
            ("triggers.tekton.dev/triggers-eventid", Run),
        ],
        &["pipelinesascode.tekton.dev/original-prname", "pipelinesascode.tekton.dev/repository"],
    ),
    // jupyter-server/enterprise_gateway etc/kernel-launchers/kubernetes/scripts/kernel-pod.yaml.j2
    project(&["kernel_id"], &[("kernel_id", Run)], &["app", "component", "kernel_name"]),
    // buildkite/agent-stack-k8s internal/controller/config/config.go
    project(&[], &[("buildkite.com/job-uuid", Run)], &[]),
];
