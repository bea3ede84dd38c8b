//! Selectors that last, where the names are made up by a client: each run, session or instance has a name and labels of its own, and
//! the API says nothing of it. The policies learned before must fit the pods after, with the same traffic.

use crate::selectors::{Row, check, selected, workloads, world};

const ROWS: &[Row] = &[
    Row {
        kind: "Koperator's Kafka, a broker made anew: its number is in the pod's name",
        workloads: &["kafka (KafkaCluster)"],
        selectors: &["app=kafka,kafka_cr=kafka"],
        before: &[("kafka-0-x7k2p", "app=kafka,brokerId=0,kafka_cr=kafka", "kafka.banzaicloud.io/v1beta1 KafkaCluster/kafka")],
        after: &[("kafka-3-b9kl2", "app=kafka,brokerId=3,kafka_cr=kafka", "kafka.banzaicloud.io/v1beta1 KafkaCluster/kafka")],
    },
    Row {
        kind: "an unknown operator that numbers its pods",
        workloads: &["queue (Queue)"],
        selectors: &["app=queue"],
        before: &[("queue-0-x7k2p", "app=queue,part=0", "example.com/v1 Queue/queue")],
        after: &[("queue-2-b9kl2", "app=queue,part=2", "example.com/v1 Queue/queue")],
    },
    Row {
        kind: "a role of Patroni's under a StatefulSet that the inventory lacks, fail-over",
        workloads: &["df (StatefulSet)"],
        selectors: &["app=df"],
        before: &[("df-0", "app=df,role=master,statefulset.kubernetes.io/pod-name=df-0", "apps/v1 StatefulSet/df")],
        after: &[("df-0", "app=df,role=replica,statefulset.kubernetes.io/pod-name=df-0", "apps/v1 StatefulSet/df")],
    },
    Row {
        kind: "Vault, which labels its own pod",
        workloads: &["vault (StatefulSet)"],
        selectors: &["app.kubernetes.io/instance=vault,app.kubernetes.io/name=vault,component=server"],
        before: &[(
            "vault-0",
            "app.kubernetes.io/name=vault,app.kubernetes.io/instance=vault,component=server,vault-active=true,vault-initialized=true,vault-perf-standby=false,vault-sealed=false,vault-version=1.15.2",
            "apps/v1 StatefulSet/vault",
        )],
        after: &[(
            "vault-0",
            "app.kubernetes.io/name=vault,app.kubernetes.io/instance=vault,component=server,vault-active=false,vault-initialized=true,vault-perf-standby=true,vault-sealed=true,vault-version=1.16.0",
            "apps/v1 StatefulSet/vault",
        )],
    },
    Row {
        kind: "Longhorn's share managers, another volume",
        workloads: &["pvc (ShareManager)"],
        selectors: &["longhorn.io/component=share-manager"],
        before: &[
            (
                "share-manager-pvc-3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
                "longhorn.io/component=share-manager,longhorn.io/managed-by=longhorn-manager,longhorn.io/share-manager=pvc-3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
                "longhorn.io/v1beta2 ShareManager/pvc-3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
            ),
            (
                "share-manager-pvc-7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f",
                "longhorn.io/component=share-manager,longhorn.io/managed-by=longhorn-manager,longhorn.io/share-manager=pvc-7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f",
                "longhorn.io/v1beta2 ShareManager/pvc-7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f",
            ),
        ],
        after: &[(
            "share-manager-pvc-9f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
            "longhorn.io/component=share-manager,longhorn.io/managed-by=longhorn-manager,longhorn.io/share-manager=pvc-9f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
            "longhorn.io/v1beta2 ShareManager/pvc-9f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
        )],
    },
    Row {
        kind: "KubeVirt's importer, the next volume: a claim owns the pod",
        workloads: &["prime (PersistentVolumeClaim)"],
        selectors: &["app=containerized-data-importer,cdi.kubevirt.io=importer"],
        before: &[(
            "importer-prime-3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
            "app=containerized-data-importer,cdi.kubevirt.io=importer,cdi.kubevirt.io/storage.import.importPvcName=prime-3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
            "v1 PersistentVolumeClaim/prime-3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
        )],
        after: &[(
            "importer-prime-7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f",
            "app=containerized-data-importer,cdi.kubevirt.io=importer,cdi.kubevirt.io/storage.import.importPvcName=prime-7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f",
            "v1 PersistentVolumeClaim/prime-7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f",
        )],
    },
    Row {
        kind: "a pod that Velero restored, made anew",
        workloads: &["db (StatefulSet)"],
        selectors: &["app=db"],
        before: &[("db-0", "app=db,velero.io/backup-name=before-upgrade,velero.io/restore-name=one", "apps/v1 StatefulSet/db")],
        after: &[("db-0", "app=db", "apps/v1 StatefulSet/db")],
    },
    Row {
        kind: "Spark, an application named after the day",
        workloads: &["etl-driver (SparkApplication)"],
        selectors: &["spark-role=driver"],
        before: &[(
            "etl-2026-11-30-0a1b-driver",
            "spark-role=driver,spark-app-name=etl-2026-11-30,spark-app-selector=spark-8b71b8ec3f68",
            "",
        )],
        after: &[(
            "etl-2026-12-01-0c1b-driver",
            "spark-role=driver,spark-app-name=etl-2026-12-01,spark-app-selector=spark-9b71b8ec3f68",
            "",
        )],
    },
    Row {
        kind: "Dagster, the next run: a Job with the UID of the run in its name",
        workloads: &["dagster-run (Job)"],
        selectors: &["app.kubernetes.io/component=run_worker,app.kubernetes.io/name=dagster,dagster/job=daily"],
        before: &[
            (
                "dagster-run-3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b-x7k2p",
                "app.kubernetes.io/component=run_worker,app.kubernetes.io/name=dagster,dagster/job=daily,dagster/run-id=3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b,job-name=dagster-run-3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b,batch.kubernetes.io/job-name=dagster-run-3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
                "batch/v1 Job/dagster-run-3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
            ),
            (
                "dagster-run-7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f-b9kl2",
                "app.kubernetes.io/component=run_worker,app.kubernetes.io/name=dagster,dagster/job=daily,dagster/run-id=7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f,job-name=dagster-run-7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f,batch.kubernetes.io/job-name=dagster-run-7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f",
                "batch/v1 Job/dagster-run-7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f",
            ),
        ],
        after: &[(
            "dagster-run-9f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b-9q4wz",
            "app.kubernetes.io/component=run_worker,app.kubernetes.io/name=dagster,dagster/job=daily,dagster/run-id=9f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b,job-name=dagster-run-9f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b,batch.kubernetes.io/job-name=dagster-run-9f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
            "batch/v1 Job/dagster-run-9f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b",
        )],
    },
    Row {
        kind: "Prefect, the next run: its name is two words",
        workloads: &["etl (Job)"],
        selectors: &["prefect.io/deployment-name=nightly,prefect.io/flow-name=etl"],
        before: &[(
            "etl-x7k2p-9q4wz",
            "prefect.io/flow-run-id=3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b,prefect.io/flow-run-name=chocolate-horse,prefect.io/flow-name=etl,prefect.io/deployment-name=nightly,batch.kubernetes.io/job-name=etl-x7k2p",
            "batch/v1 Job/etl-x7k2p",
        )],
        after: &[(
            "etl-b9kl2-t6v8d",
            "prefect.io/flow-run-id=7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f,prefect.io/flow-run-name=green-bee,prefect.io/flow-name=etl,prefect.io/deployment-name=nightly,batch.kubernetes.io/job-name=etl-b9kl2",
            "batch/v1 Job/etl-b9kl2",
        )],
    },
    Row {
        kind: "an unknown workflow engine: bare pods with the run's name in a label",
        workloads: &["step (Pod)"],
        selectors: &["app=engine"],
        before: &[(
            "step-0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "app=engine,example.com/runName=boring-horse,example.com/attempt-no=1",
            "",
        )],
        after: &[(
            "step-1a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "app=engine,example.com/runName=mad-bee,example.com/attempt-no=2",
            "",
        )],
    },
    Row {
        kind: "Nextflow, the next run",
        workloads: &["nf (Pod)"],
        selectors: &["nextflow.io/app=nextflow,nextflow.io/processName=FASTQC"],
        before: &[(
            "nf-0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "nextflow.io/app=nextflow,nextflow.io/runName=boring_curie,nextflow.io/processName=FASTQC,nextflow.io/taskName=FASTQC_1",
            "",
        )],
        after: &[(
            "nf-1a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "nextflow.io/app=nextflow,nextflow.io/runName=mad_turing,nextflow.io/processName=FASTQC,nextflow.io/taskName=FASTQC_7",
            "",
        )],
    },
    Row {
        kind: "Flyte, the next execution: random letters are the owner's whole name",
        workloads: &["flyteworkflow (flyteworkflow)"],
        selectors: &["domain=development,project=snacks,task-name=core-main,workflow-name=core-wf"],
        before: &[(
            "axt25d8wr9f5xkkq2jfm-n0-0",
            "domain=development,execution-id=axt25d8wr9f5xkkq2jfm,node-id=n0,project=snacks,shard-key=21,task-name=core-main,workflow-name=core-wf",
            "flyte.lyft.com/v1alpha1 flyteworkflow/axt25d8wr9f5xkkq2jfm",
        )],
        after: &[(
            "f8cp94ttxkqcvqcncgs6-n1-0",
            "domain=development,execution-id=f8cp94ttxkqcvqcncgs6,node-id=n1,project=snacks,shard-key=7,task-name=core-main,workflow-name=core-wf",
            "flyte.lyft.com/v1alpha1 flyteworkflow/f8cp94ttxkqcvqcncgs6",
        )],
    },
    Row {
        kind: "Airbyte, the next job",
        workloads: &["replication-job-123-attempt-0 (Pod)"],
        selectors: &["airbyte=job-pod,workspace_id=main"],
        before: &[("replication-job-123-attempt-0", "airbyte=job-pod,attempt_id=0,job_id=123,workspace_id=main", "")],
        after: &[("replication-job-124-attempt-1", "airbyte=job-pod,attempt_id=1,job_id=124,workspace_id=main", "")],
    },
    Row {
        kind: "Drone, the next build",
        workloads: &["drone-first (Pod)"],
        selectors: &["io.drone=true,io.drone.repo.name=web"],
        before: &[("drone-first", "io.drone=true,io.drone.build.number=12,io.drone.name=drone-first,io.drone.repo.name=web", "")],
        after: &[(
            "drone-second",
            "io.drone=true,io.drone.build.number=13,io.drone.name=drone-second,io.drone.repo.name=web",
            "",
        )],
    },
    Row {
        kind: "Trivy's scans, the next ones: Jobs with a hash in their names",
        workloads: &["scan-vulnerabilityreport (Job)"],
        selectors: &["app.kubernetes.io/managed-by=trivy-operator,vulnerabilityReport.scanner=Trivy"],
        before: &[
            (
                "scan-vulnerabilityreport-6d4cf56db6-x7k2p",
                "app.kubernetes.io/managed-by=trivy-operator,resource-spec-hash=7bd6bfdb9f,trivy-operator.resource.kind=ReplicaSet,trivy-operator.resource.name=web-5c5c5c5c5c,vulnerabilityReport.scanner=Trivy",
                "batch/v1 Job/scan-vulnerabilityreport-6d4cf56db6",
            ),
            (
                "scan-vulnerabilityreport-8549c7dfb9-b9kl2",
                "app.kubernetes.io/managed-by=trivy-operator,resource-spec-hash=5f6bfdb9f,trivy-operator.resource.kind=StatefulSet,trivy-operator.resource.name=db,vulnerabilityReport.scanner=Trivy",
                "batch/v1 Job/scan-vulnerabilityreport-8549c7dfb9",
            ),
        ],
        after: &[(
            "scan-vulnerabilityreport-7549c7dfb9-9q4wz",
            "app.kubernetes.io/managed-by=trivy-operator,resource-spec-hash=4f6bfdb9f,trivy-operator.resource.kind=ReplicaSet,trivy-operator.resource.name=api-77777cccb4,vulnerabilityReport.scanner=Trivy",
            "batch/v1 Job/scan-vulnerabilityreport-7549c7dfb9",
        )],
    },
    Row {
        kind: "Dask Gateway, another cluster: a hash is the owner's whole name",
        workloads: &["daskcluster (DaskCluster)"],
        selectors: &["app.kubernetes.io/component=dask-worker,gateway.dask.org/instance=hub"],
        before: &[
            (
                "dask-worker-0a1b2c3d4e5f60718293a4b5c6d7e8f9-x7k2p",
                "app.kubernetes.io/component=dask-worker,gateway.dask.org/cluster=0a1b2c3d4e5f60718293a4b5c6d7e8f9,gateway.dask.org/instance=hub",
                "gateway.dask.org/v1alpha1 DaskCluster/0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            ),
            (
                "dask-worker-1b1b2c3d4e5f60718293a4b5c6d7e8f9-b9kl2",
                "app.kubernetes.io/component=dask-worker,gateway.dask.org/cluster=1b1b2c3d4e5f60718293a4b5c6d7e8f9,gateway.dask.org/instance=hub",
                "gateway.dask.org/v1alpha1 DaskCluster/1b1b2c3d4e5f60718293a4b5c6d7e8f9",
            ),
        ],
        after: &[(
            "dask-worker-2c1b2c3d4e5f60718293a4b5c6d7e8f9-9q4wz",
            "app.kubernetes.io/component=dask-worker,gateway.dask.org/cluster=2c1b2c3d4e5f60718293a4b5c6d7e8f9,gateway.dask.org/instance=hub",
            "gateway.dask.org/v1alpha1 DaskCluster/2c1b2c3d4e5f60718293a4b5c6d7e8f9",
        )],
    },
    Row {
        kind: "Katib, the next trial: eight letters",
        workloads: &["tune (Job)"],
        selectors: &["katib.kubeflow.org/experiment=tune"],
        before: &[(
            "tune-bcdfghjk-9q4wz",
            "katib.kubeflow.org/experiment=tune,katib.kubeflow.org/trial=tune-bcdfghjk,batch.kubernetes.io/job-name=tune-bcdfghjk",
            "batch/v1 Job/tune-bcdfghjk",
        )],
        after: &[(
            "tune-7k2pzzqw-x7k2p",
            "katib.kubeflow.org/experiment=tune,katib.kubeflow.org/trial=tune-7k2pzzqw,batch.kubernetes.io/job-name=tune-7k2pzzqw",
            "batch/v1 Job/tune-7k2pzzqw",
        )],
    },
    Row {
        kind: "a release that numbers its Job, with the labels of its Deployment",
        workloads: &["app (Deployment)", "app-migrate-7 (Job)"],
        selectors: &["app=app,batch.kubernetes.io/job-name DoesNotExist", "app=app,batch.kubernetes.io/job-name Exists"],
        before: &[
            ("app-6d4cf56db6-x7k2p", "app=app,pod-template-hash=6d4cf56db6", "apps/v1 ReplicaSet/app-6d4cf56db6"),
            ("app-migrate-7-b9kl2", "app=app,batch.kubernetes.io/job-name=app-migrate-7", "batch/v1 Job/app-migrate-7"),
        ],
        after: &[
            ("app-8549c7dfb9-x7k2p", "app=app,pod-template-hash=8549c7dfb9", "apps/v1 ReplicaSet/app-8549c7dfb9"),
            ("app-migrate-8-b9kl2", "app=app,batch.kubernetes.io/job-name=app-migrate-8", "batch/v1 Job/app-migrate-8"),
        ],
    },
    Row {
        kind: "a virtual cluster's copies, the next rollout",
        workloads: &["web (Pod)"],
        selectors: &["app=web,vcluster.loft.sh/managed-by=team,vcluster.loft.sh/namespace=default"],
        before: &[
            (
                "web-6d4cf56db6-x7k2p-x-default-x-team",
                "app=web,pod-template-hash=6d4cf56db6,vcluster.loft.sh/managed-by=team,vcluster.loft.sh/namespace=default",
                "",
            ),
            (
                "web-6d4cf56db6-b9kl2-x-default-x-team",
                "app=web,pod-template-hash=6d4cf56db6,vcluster.loft.sh/managed-by=team,vcluster.loft.sh/namespace=default",
                "",
            ),
        ],
        after: &[(
            "web-8549c7dfb9-t6v8d-x-default-x-team",
            "app=web,pod-template-hash=8549c7dfb9,vcluster.loft.sh/managed-by=team,vcluster.loft.sh/namespace=default",
            "",
        )],
    },
    Row {
        kind: "Tofu's runner: the hash of the run in a common label",
        workloads: &["net (Terraform)"],
        selectors: &["app.kubernetes.io/created-by=tf-controller,app.kubernetes.io/name=tf-runner"],
        before: &[(
            "net-tf-runner",
            "app.kubernetes.io/created-by=tf-controller,app.kubernetes.io/name=tf-runner,app.kubernetes.io/instance=tf-runner-0a1b2c3d",
            "infra.contrib.fluxcd.io/v1alpha2 Terraform/net",
        )],
        after: &[(
            "net-tf-runner",
            "app.kubernetes.io/created-by=tf-controller,app.kubernetes.io/name=tf-runner,app.kubernetes.io/instance=tf-runner-1a2b3c4d",
            "infra.contrib.fluxcd.io/v1alpha2 Terraform/net",
        )],
    },
    Row {
        kind: "OpenKruise's rollouts, the next one",
        workloads: &["web (CloneSet)"],
        selectors: &["app=web"],
        before: &[(
            "web-x7k2p",
            "app=web,rollouts.kruise.io/rollout-id=v1,rollouts.kruise.io/rollout-batch-id=1",
            "apps.kruise.io/v1alpha1 CloneSet/web",
        )],
        after: &[(
            "web-b9kl2",
            "app=web,rollouts.kruise.io/rollout-id=v2,rollouts.kruise.io/rollout-batch-id=2",
            "apps.kruise.io/v1alpha1 CloneSet/web",
        )],
    },
    Row {
        kind: "runs of two tools with names of one form",
        workloads: &["run-backup (Job)", "run-report (Job)"],
        selectors: &["app=backup", "app=report"],
        before: &[
            ("run-0a1b2c3d-x7k2p", "app=backup", "batch/v1 Job/run-0a1b2c3d"),
            ("run-1a1b2c3d-x7k2p", "app=report", "batch/v1 Job/run-1a1b2c3d"),
        ],
        after: &[
            ("run-2a1b2c3d-x7k2p", "app=report", "batch/v1 Job/run-2a1b2c3d"),
            ("run-3a1b2c3d-x7k2p", "app=backup", "batch/v1 Job/run-3a1b2c3d"),
        ],
    },
];

#[test]
fn policies_fit_the_pods_of_the_next_run() {
    check(ROWS);
    assert!(ROWS.len() >= 20, "each kind has a row");
}

#[test]
fn labels_of_a_jobs_template_are_judged_as_any_labels() {
    let uids = ["3f1c2a44-9b1e-4d7a-8a55-0c1d2e3f4a5b", "7d2e9b10-1c3f-4e8b-9c66-1a2b3c4d5e6f"];
    let cluster = |uid: &str| {
        let labels = format!("example.com/job-uuid={uid},queue=default");
        let name = format!("ci-{uid}");
        let job = format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{template: {{metadata: {{labels: {{example.com/job-uuid: {uid}, queue: default}}}}}}}}"
        );
        let pod = format!("{name}-x7k2p");
        world(&[]).object(&job).pod_of("shop", &pod, "10.244.0.10", "n1", &labels, &format!("batch/v1 Job/{name}")).tcp(
            "10.244.0.9",
            "10.244.0.10",
            8080,
        )
    };
    let learned = cluster(uids[0]).learn(&[]);
    assert_eq!(selected(&learned).into_iter().collect::<Vec<_>>(), ["queue=default"]);
    assert_eq!(workloads(&learned), ["ci (Job)"]);
    let next = tempfile::tempdir().unwrap();
    let (capture, inventory) = cluster(uids[1]).write(next.path());
    let (code, stdout, _) = learned.verify(&capture, &inventory, &[]);
    assert_eq!(code, Some(0), "{stdout}");
}
