//! Selectors that last: pods of operators and platforms, labelled as those label them, before and after the next event. The policies
//! learned before must fit the pods after, with the same traffic.

use std::collections::BTreeSet;
use std::fs;

use crate::world::{Learned, World, learn_files};

/// Name, labels, owner.
pub type Pod = (&'static str, &'static str, &'static str);

pub struct Row {
    pub kind: &'static str,
    /// As the summary lists them.
    pub workloads: &'static [&'static str],
    /// What the policies for these workloads select.
    pub selectors: &'static [&'static str],
    pub before: &'static [Pod],
    pub after: &'static [Pod],
}

const ROWS: &[Row] = &[
    Row {
        kind: "CloudNativePG, one instance, made anew",
        workloads: &["orders-db (Cluster)"],
        selectors: &["cnpg.io/cluster=orders-db,cnpg.io/podRole=instance"],
        before: &[(
            "orders-db-1",
            "cnpg.io/cluster=orders-db,cnpg.io/instanceName=orders-db-1,cnpg.io/instanceRole=primary,cnpg.io/podRole=instance,role=primary",
            "postgresql.cnpg.io/v1 Cluster/orders-db",
        )],
        after: &[(
            "orders-db-2",
            "cnpg.io/cluster=orders-db,cnpg.io/instanceName=orders-db-2,cnpg.io/instanceRole=primary,cnpg.io/podRole=instance,role=primary",
            "postgresql.cnpg.io/v1 Cluster/orders-db",
        )],
    },
    Row {
        kind: "CloudNativePG, a primary that becomes unhealthy, with a pooler and a job",
        workloads: &["orders-db (Cluster)", "orders-db-join (Cluster)", "pool (Deployment)"],
        selectors: &[
            "cnpg.io/cluster=orders-db,cnpg.io/jobRole=join",
            "cnpg.io/cluster=orders-db,cnpg.io/podRole=instance",
            "cnpg.io/cluster=orders-db,cnpg.io/podRole=pooler,cnpg.io/poolerName=pool",
        ],
        before: &[
            (
                "orders-db-1",
                "cnpg.io/cluster=orders-db,cnpg.io/instanceName=orders-db-1,cnpg.io/instanceRole=primary,cnpg.io/podRole=instance,role=primary",
                "postgresql.cnpg.io/v1 Cluster/orders-db",
            ),
            (
                "orders-db-2-join-x7k2p",
                "cnpg.io/cluster=orders-db,cnpg.io/instanceName=orders-db-2,cnpg.io/jobRole=join,batch.kubernetes.io/job-name=orders-db-2-join,job-name=orders-db-2-join",
                "batch/v1 Job/orders-db-2-join",
            ),
            (
                "pool-6d4cf56db6-b9kl2",
                "cnpg.io/cluster=orders-db,cnpg.io/podRole=pooler,cnpg.io/poolerName=pool,pod-template-hash=6d4cf56db6",
                "apps/v1 ReplicaSet/pool-6d4cf56db6",
            ),
        ],
        after: &[
            (
                "orders-db-1",
                "cnpg.io/cluster=orders-db,cnpg.io/instanceName=orders-db-1,cnpg.io/instanceRole=unhealthy,cnpg.io/podRole=instance,role=unhealthy",
                "postgresql.cnpg.io/v1 Cluster/orders-db",
            ),
            (
                "orders-db-3-join-9q4wz",
                "cnpg.io/cluster=orders-db,cnpg.io/instanceName=orders-db-3,cnpg.io/jobRole=join,batch.kubernetes.io/job-name=orders-db-3-join,job-name=orders-db-3-join",
                "batch/v1 Job/orders-db-3-join",
            ),
            (
                "pool-8549c7dfb9-t6v8d",
                "cnpg.io/cluster=orders-db,cnpg.io/podRole=pooler,cnpg.io/poolerName=pool,pod-template-hash=8549c7dfb9",
                "apps/v1 ReplicaSet/pool-8549c7dfb9",
            ),
        ],
    },
    Row {
        kind: "Zalando's Postgres, fail-over",
        workloads: &["acid-db (StatefulSet)"],
        selectors: &["application=spilo,cluster-name=acid-db"],
        before: &[(
            "acid-db-0",
            "application=spilo,cluster-name=acid-db,team=acid,spilo-role=master,controller-revision-hash=acid-db-6d4cf56db6,statefulset.kubernetes.io/pod-name=acid-db-0",
            "apps/v1 StatefulSet/acid-db",
        )],
        after: &[(
            "acid-db-0",
            "application=spilo,cluster-name=acid-db,team=acid,spilo-role=replica,controller-revision-hash=acid-db-8549c7dfb9,statefulset.kubernetes.io/pod-name=acid-db-0",
            "apps/v1 StatefulSet/acid-db",
        )],
    },
    Row {
        kind: "Crunchy's Postgres, an instance made anew: another StatefulSet",
        workloads: &["hippo-instance1 (PostgresCluster)"],
        selectors: &["postgres-operator.crunchydata.com/cluster=hippo,postgres-operator.crunchydata.com/instance-set=instance1"],
        before: &[(
            "hippo-instance1-7xrt-0",
            "postgres-operator.crunchydata.com/cluster=hippo,postgres-operator.crunchydata.com/instance=hippo-instance1-7xrt,postgres-operator.crunchydata.com/instance-set=instance1,postgres-operator.crunchydata.com/role=master",
            "apps/v1 StatefulSet/hippo-instance1-7xrt",
        )],
        after: &[(
            "hippo-instance1-q2vb-0",
            "postgres-operator.crunchydata.com/cluster=hippo,postgres-operator.crunchydata.com/instance=hippo-instance1-q2vb,postgres-operator.crunchydata.com/instance-set=instance1,postgres-operator.crunchydata.com/role=replica",
            "apps/v1 StatefulSet/hippo-instance1-q2vb",
        )],
    },
    Row {
        kind: "Strimzi, another controller",
        workloads: &["my-cluster-kafka (Kafka)"],
        selectors: &["strimzi.io/cluster=my-cluster,strimzi.io/kind=Kafka,strimzi.io/name=my-cluster-kafka"],
        before: &[(
            "my-cluster-broker-0",
            "strimzi.io/cluster=my-cluster,strimzi.io/kind=Kafka,strimzi.io/name=my-cluster-kafka,strimzi.io/pod-name=my-cluster-broker-0,strimzi.io/controller-role=true,strimzi.io/broker-role=true",
            "core.strimzi.io/v1beta2 StrimziPodSet/my-cluster-broker",
        )],
        after: &[(
            "my-cluster-broker-3",
            "strimzi.io/cluster=my-cluster,strimzi.io/kind=Kafka,strimzi.io/name=my-cluster-kafka,strimzi.io/pod-name=my-cluster-broker-3,strimzi.io/controller-role=false,strimzi.io/broker-role=true",
            "core.strimzi.io/v1beta2 StrimziPodSet/my-cluster-broker",
        )],
    },
    Row {
        kind: "ECK, upgrade, without the StatefulSet in the inventory",
        workloads: &["es-es-default (StatefulSet)"],
        selectors: &["elasticsearch.k8s.elastic.co/cluster-name=es,elasticsearch.k8s.elastic.co/statefulset-name=es-es-default"],
        before: &[(
            "es-es-default-0",
            "common.k8s.elastic.co/type=elasticsearch,elasticsearch.k8s.elastic.co/cluster-name=es,elasticsearch.k8s.elastic.co/statefulset-name=es-es-default,elasticsearch.k8s.elastic.co/version=8.11.1,elasticsearch.k8s.elastic.co/node-master=true,statefulset.kubernetes.io/pod-name=es-es-default-0",
            "apps/v1 StatefulSet/es-es-default",
        )],
        after: &[(
            "es-es-default-0",
            "common.k8s.elastic.co/type=elasticsearch,elasticsearch.k8s.elastic.co/cluster-name=es,elasticsearch.k8s.elastic.co/statefulset-name=es-es-default,elasticsearch.k8s.elastic.co/version=8.12.0,elasticsearch.k8s.elastic.co/node-master=false,statefulset.kubernetes.io/pod-name=es-es-default-0",
            "apps/v1 StatefulSet/es-es-default",
        )],
    },
    Row {
        kind: "TiDB Operator v2, a store made anew",
        workloads: &["kv (TiKVGroup)"],
        selectors: &["pingcap.com/cluster=db,pingcap.com/component=tikv,pingcap.com/group=kv"],
        before: &[(
            "kv-tikv-x7k2p",
            "pingcap.com/cluster=db,pingcap.com/component=tikv,pingcap.com/group=kv,pingcap.com/instance=kv-x7k2p,tidb.pingcap.com/store-id=4,pingcap.com/pod-spec-hash=6d4cf56db6",
            "core.pingcap.com/v1alpha1 TiKV/kv-x7k2p",
        )],
        after: &[(
            "kv-tikv-b9kl2",
            "pingcap.com/cluster=db,pingcap.com/component=tikv,pingcap.com/group=kv,pingcap.com/instance=kv-b9kl2,tidb.pingcap.com/store-id=9,pingcap.com/pod-spec-hash=8549c7dfb9",
            "core.pingcap.com/v1alpha1 TiKV/kv-b9kl2",
        )],
    },
    Row {
        kind: "Rook, a monitor that was replaced",
        workloads: &["rook-ceph-mon (CephCluster)"],
        selectors: &["app=rook-ceph-mon,rook_cluster=rook-ceph"],
        before: &[(
            "rook-ceph-mon-a-6d4cf56db6-x7k2p",
            "app=rook-ceph-mon,mon=a,ceph_daemon_id=a,ceph_daemon_type=mon,rook_cluster=rook-ceph,pod-template-hash=6d4cf56db6",
            "apps/v1 ReplicaSet/rook-ceph-mon-a-6d4cf56db6",
        )],
        after: &[(
            "rook-ceph-mon-d-8549c7dfb9-b9kl2",
            "app=rook-ceph-mon,mon=d,ceph_daemon_id=d,ceph_daemon_type=mon,rook_cluster=rook-ceph,pod-template-hash=8549c7dfb9",
            "apps/v1 ReplicaSet/rook-ceph-mon-d-8549c7dfb9",
        )],
    },
    Row {
        kind: "Longhorn, another node and image",
        workloads: &["instance-manager (InstanceManager)"],
        selectors: &["longhorn.io/component=instance-manager"],
        before: &[(
            "instance-manager-5f6c2a9be1d04c7783ab1f2e3d4c5b6a",
            "longhorn.io/component=instance-manager,longhorn.io/node=n1,longhorn.io/instance-manager-image=imi-1234abcd,longhorn.io/instance-manager-type=aio",
            "longhorn.io/v1beta2 InstanceManager/instance-manager-5f6c2a9be1d04c7783ab1f2e3d4c5b6a",
        )],
        after: &[(
            "instance-manager-0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "longhorn.io/component=instance-manager,longhorn.io/node=n2,longhorn.io/instance-manager-image=imi-99ffabcd,longhorn.io/instance-manager-type=aio",
            "longhorn.io/v1beta2 InstanceManager/instance-manager-0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        )],
    },
    Row {
        kind: "KubeVirt, live migration",
        workloads: &["vm1 (VirtualMachine)"],
        selectors: &["vm.kubevirt.io/name=vm1,vmi.kubevirt.io/id=vm1"],
        before: &[(
            "virt-launcher-vm1-x7k2p",
            "kubevirt.io=virt-launcher,kubevirt.io/created-by=0b6c1f0e-7f0f-4f0e-9b0a-1d2c3b4a5f60,kubevirt.io/nodeName=n1,vm.kubevirt.io/name=vm1,vmi.kubevirt.io/id=vm1",
            "kubevirt.io/v1 VirtualMachineInstance/vm1",
        )],
        after: &[(
            "virt-launcher-vm1-b9kl2",
            "kubevirt.io=virt-launcher,kubevirt.io/created-by=0b6c1f0e-7f0f-4f0e-9b0a-1d2c3b4a5f60,kubevirt.io/nodeName=n2,kubevirt.io/migrationJobUID=6f0e0b6c-7f0f-4f0e-9b0a-1d2c3b4a5f61,vm.kubevirt.io/name=vm1,vmi.kubevirt.io/id=vm1",
            "kubevirt.io/v1 VirtualMachineInstance/vm1",
        )],
    },
    Row {
        kind: "Spark, the next run",
        workloads: &["etl-driver (SparkApplication)", "etl-executor (SparkApplication)"],
        selectors: &["spark-app-name=etl,spark-role=driver", "spark-app-name=etl,spark-role=executor"],
        before: &[
            (
                "etl-8a1b2c-driver",
                "spark-app-name=etl,spark-app-selector=spark-8b71b8ec3f6843428f2b9e8ea9b1bfb6,spark-role=driver,spark-version=4.0.1",
                "",
            ),
            (
                "etl-8a1b2c-exec-1",
                "spark-app-name=etl,spark-app-selector=spark-8b71b8ec3f6843428f2b9e8ea9b1bfb6,spark-exec-id=1,spark-role=executor,spark-version=4.0.1",
                "v1 Pod/etl-8a1b2c-driver",
            ),
        ],
        after: &[
            (
                "etl-99d0e1-driver",
                "spark-app-name=etl,spark-app-selector=spark-00ffb8ec3f6843428f2b9e8ea9b1bf00,spark-role=driver,spark-version=4.0.2",
                "",
            ),
            (
                "etl-99d0e1-exec-7",
                "spark-app-name=etl,spark-app-selector=spark-00ffb8ec3f6843428f2b9e8ea9b1bf00,spark-exec-id=7,spark-role=executor,spark-version=4.0.2",
                "v1 Pod/etl-99d0e1-driver",
            ),
        ],
    },
    Row {
        kind: "Spark's operator, the next scheduled run, named after its time",
        workloads: &["etl-driver (SparkApplication)"],
        selectors: &["spark-role=driver,sparkoperator.k8s.io/launched-by-spark-operator=true"],
        before: &[(
            "etl-1790000000000000000-driver",
            "spark-app-name=etl-1790000000000000000,spark-app-selector=spark-8b71b8ec3f6843428f2b9e8ea9b1bfb6,spark-role=driver,sparkoperator.k8s.io/app-name=etl-1790000000000000000,sparkoperator.k8s.io/launched-by-spark-operator=true,sparkoperator.k8s.io/submission-id=0b6c1f0e-7f0f-4f0e-9b0a-1d2c3b4a5f60",
            "sparkoperator.k8s.io/v1beta2 SparkApplication/etl-1790000000000000000",
        )],
        after: &[(
            "etl-1790086400000000000-driver",
            "spark-app-name=etl-1790086400000000000,spark-app-selector=spark-00ffb8ec3f6843428f2b9e8ea9b1bf00,spark-role=driver,sparkoperator.k8s.io/app-name=etl-1790086400000000000,sparkoperator.k8s.io/launched-by-spark-operator=true,sparkoperator.k8s.io/submission-id=6f0e0b6c-7f0f-4f0e-9b0a-1d2c3b4a5f61",
            "sparkoperator.k8s.io/v1beta2 SparkApplication/etl-1790086400000000000",
        )],
    },
    Row {
        kind: "Flink, the JobManager's Deployment owns the TaskManagers",
        workloads: &["flink (Deployment)", "flink-taskmanager (Deployment)"],
        selectors: &[
            "app=flink,component=jobmanager,type=flink-native-kubernetes",
            "app=flink,component=taskmanager,type=flink-native-kubernetes",
        ],
        before: &[
            (
                "flink-6d4cf56db6-x7k2p",
                "app=flink,component=jobmanager,type=flink-native-kubernetes,pod-template-hash=6d4cf56db6",
                "apps/v1 ReplicaSet/flink-6d4cf56db6",
            ),
            ("flink-taskmanager-1-1", "app=flink,component=taskmanager,type=flink-native-kubernetes", "apps/v1 Deployment/flink"),
        ],
        after: &[
            (
                "flink-8549c7dfb9-b9kl2",
                "app=flink,component=jobmanager,type=flink-native-kubernetes,pod-template-hash=8549c7dfb9",
                "apps/v1 ReplicaSet/flink-8549c7dfb9",
            ),
            ("flink-taskmanager-2-4", "app=flink,component=taskmanager,type=flink-native-kubernetes", "apps/v1 Deployment/flink"),
        ],
    },
    Row {
        kind: "RayService, the next version: another RayCluster",
        workloads: &["llm-head (RayService)", "llm-worker (RayService)"],
        selectors: &[
            "ray.io/group=headgroup,ray.io/node-type=head,ray.io/originated-from-cr-name=llm,ray.io/originated-from-crd=RayService",
            "ray.io/group=small,ray.io/node-type=worker,ray.io/originated-from-cr-name=llm,ray.io/originated-from-crd=RayService",
        ],
        before: &[
            (
                "llm-x7k2p-head-d4bqt",
                "ray.io/cluster=llm-x7k2p,ray.io/group=headgroup,ray.io/identifier=llm-x7k2p-head,ray.io/node-type=head,ray.io/originated-from-cr-name=llm,ray.io/originated-from-crd=RayService",
                "ray.io/v1 RayCluster/llm-x7k2p",
            ),
            (
                "llm-x7k2p-small-worker-9q4wz",
                "ray.io/cluster=llm-x7k2p,ray.io/group=small,ray.io/identifier=llm-x7k2p-worker,ray.io/node-type=worker,ray.io/originated-from-cr-name=llm,ray.io/originated-from-crd=RayService",
                "ray.io/v1 RayCluster/llm-x7k2p",
            ),
        ],
        after: &[
            (
                "llm-b9kl2-head-t6v8d",
                "ray.io/cluster=llm-b9kl2,ray.io/group=headgroup,ray.io/identifier=llm-b9kl2-head,ray.io/node-type=head,ray.io/originated-from-cr-name=llm,ray.io/originated-from-crd=RayService",
                "ray.io/v1 RayCluster/llm-b9kl2",
            ),
            (
                "llm-b9kl2-small-worker-2w5cr",
                "ray.io/cluster=llm-b9kl2,ray.io/group=small,ray.io/identifier=llm-b9kl2-worker,ray.io/node-type=worker,ray.io/originated-from-cr-name=llm,ray.io/originated-from-crd=RayService",
                "ray.io/v1 RayCluster/llm-b9kl2",
            ),
        ],
    },
    Row {
        kind: "Tekton, the next PipelineRun",
        workloads: &["release-build (Pipeline)"],
        selectors: &["tekton.dev/pipeline=release,tekton.dev/pipelineTask=build,tekton.dev/task=maven"],
        before: &[(
            "release-x7k2p-build-pod",
            "app.kubernetes.io/managed-by=tekton-pipelines,tekton.dev/pipeline=release,tekton.dev/pipelineRun=release-x7k2p,tekton.dev/pipelineTask=build,tekton.dev/task=maven,tekton.dev/taskRun=release-x7k2p-build",
            "tekton.dev/v1 TaskRun/release-x7k2p-build",
        )],
        after: &[(
            "release-b9kl2-build-pod",
            "app.kubernetes.io/managed-by=tekton-pipelines,tekton.dev/pipeline=release,tekton.dev/pipelineRun=release-b9kl2,tekton.dev/pipelineTask=build,tekton.dev/task=maven,tekton.dev/taskRun=release-b9kl2-build",
            "tekton.dev/v1 TaskRun/release-b9kl2-build",
        )],
    },
    Row {
        kind: "Argo Workflows, the next run of a generated name",
        workloads: &["hello (Workflow)"],
        selectors: &["workflows.argoproj.io/workflow Exists"],
        before: &[(
            "hello-x7k2p",
            "workflows.argoproj.io/workflow=hello-x7k2p,workflows.argoproj.io/completed=false",
            "argoproj.io/v1alpha1 Workflow/hello-x7k2p",
        )],
        after: &[(
            "hello-b9kl2",
            "workflows.argoproj.io/workflow=hello-b9kl2,workflows.argoproj.io/completed=true",
            "argoproj.io/v1alpha1 Workflow/hello-b9kl2",
        )],
    },
    Row {
        kind: "Argo Rollouts, the stable pods are promoted canaries",
        workloads: &["guestbook (Rollout)"],
        selectors: &["app=guestbook"],
        before: &[(
            "guestbook-6d4cf56db6-x7k2p",
            "app=guestbook,role=canary,rollouts-pod-template-hash=6d4cf56db6",
            "apps/v1 ReplicaSet/guestbook-6d4cf56db6",
        )],
        after: &[(
            "guestbook-6d4cf56db6-x7k2p",
            "app=guestbook,role=stable,rollouts-pod-template-hash=6d4cf56db6",
            "apps/v1 ReplicaSet/guestbook-6d4cf56db6",
        )],
    },
    Row {
        kind: "Knative, the next revision, without owners in the inventory",
        workloads: &["hello (Service)"],
        selectors: &["serving.knative.dev/configuration=hello,serving.knative.dev/service=hello"],
        before: &[(
            "hello-00001-deployment-6d4cf56db6-x7k2p",
            "app=hello-00001,pod-template-hash=6d4cf56db6,serving.knative.dev/configuration=hello,serving.knative.dev/configurationGeneration=1,serving.knative.dev/revision=hello-00001,serving.knative.dev/revisionUID=aaaaaaaa-0000-4000-8000-000000000001,serving.knative.dev/service=hello",
            "apps/v1 ReplicaSet/hello-00001-deployment-6d4cf56db6",
        )],
        after: &[(
            "hello-00002-deployment-8549c7dfb9-b9kl2",
            "app=hello-00002,pod-template-hash=8549c7dfb9,serving.knative.dev/configuration=hello,serving.knative.dev/configurationGeneration=2,serving.knative.dev/revision=hello-00002,serving.knative.dev/revisionUID=bbbbbbbb-0000-4000-8000-000000000002,serving.knative.dev/service=hello",
            "apps/v1 ReplicaSet/hello-00002-deployment-8549c7dfb9",
        )],
    },
    Row {
        kind: "GitHub's runners, the next job",
        workloads: &["arc (AutoscalingRunnerSet)"],
        selectors: &["actions-ephemeral-runner=True,actions.github.com/scale-set-name=arc"],
        before: &[(
            "arc-x7k2p-runner-d4bqt",
            "actions-ephemeral-runner=True,actions.github.com/scale-set-name=arc,app.kubernetes.io/component=runner,app.kubernetes.io/version=0.9.3,pod-template-hash=6d4cf56db6",
            "actions.github.com/v1alpha1 EphemeralRunner/arc-x7k2p-runner-d4bqt",
        )],
        after: &[(
            "arc-b9kl2-runner-t6v8d",
            "actions-ephemeral-runner=True,actions.github.com/scale-set-name=arc,app.kubernetes.io/component=runner,app.kubernetes.io/version=0.10.1,pod-template-hash=8549c7dfb9",
            "actions.github.com/v1alpha1 EphemeralRunner/arc-b9kl2-runner-t6v8d",
        )],
    },
    Row {
        kind: "GitLab's runner, the next job",
        workloads: &["4711 (GitLabProject)"],
        selectors: &["project.runner.gitlab.com/id=4711"],
        before: &[(
            "runner-t1abc-project-4711-concurrent-0-x7k2p",
            "job.runner.gitlab.com/pod=runner-t1abc-project-4711-concurrent-0,manager.runner.gitlab.com/name=runner-6d4cf56db6-x7k2p,project.runner.gitlab.com/id=4711",
            "",
        )],
        after: &[(
            "runner-t1abc-project-4711-concurrent-1-b9kl2",
            "job.runner.gitlab.com/pod=runner-t1abc-project-4711-concurrent-1,manager.runner.gitlab.com/name=runner-8549c7dfb9-b9kl2,project.runner.gitlab.com/id=4711",
            "",
        )],
    },
    Row {
        kind: "Jenkins, the next build of a pipeline with its own template",
        workloads: &["jenkins-agent (JenkinsAgent)"],
        selectors: &["jenkins=slave,kubernetes.jenkins.io/controller=ci"],
        before: &[(
            "shop-12-x0k1p-4b2cd-9zz1q",
            "jenkins=slave,jenkins/label=shop_12-x0k1p,jenkins/label-digest=0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d,kubernetes.jenkins.io/controller=ci",
            "",
        )],
        after: &[(
            "shop-13-b3c9z-77bcd-0zz1q",
            "jenkins=slave,jenkins/label=shop_13-b3c9z,jenkins/label-digest=ff1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d,kubernetes.jenkins.io/controller=ci",
            "",
        )],
    },
    Row {
        kind: "Airflow's executor, the next run",
        workloads: &["nightly (DAG)"],
        selectors: &["dag_id=nightly,kubernetes_executor=True"],
        before: &[(
            "nightly-load-0abc12",
            "airflow-worker=114,airflow_version=2.9.1,dag_id=nightly,kubernetes_executor=True,run_id=scheduled__2026-09-21,try_number=1",
            "",
        )],
        after: &[(
            "nightly-load-9zz877",
            "airflow-worker=118,airflow_version=2.9.2,dag_id=nightly,kubernetes_executor=True,run_id=scheduled__2026-09-22,try_number=2",
            "",
        )],
    },
    Row {
        kind: "JupyterHub, another user",
        workloads: &["singleuser-server (JupyterHub)"],
        selectors: &["app=jupyterhub,component=singleuser-server"],
        before: &[("jupyter-ann", "app=jupyterhub,component=singleuser-server,hub.jupyter.org/username=ann", "")],
        after: &[("jupyter-bob", "app=jupyterhub,component=singleuser-server,hub.jupyter.org/username=bob", "")],
    },
    Row {
        kind: "cert-manager, the next challenge",
        workloads: &["cm-acme-http-solver (Challenge)"],
        selectors: &["acme.cert-manager.io/http01-solver=true"],
        before: &[(
            "cm-acme-http-solver-x7k2p",
            "acme.cert-manager.io/http-domain=1234567890,acme.cert-manager.io/http-token=987654321,acme.cert-manager.io/http01-solver=true",
            "acme.cert-manager.io/v1 Challenge/shop-tls-1-1234567890-987654321",
        )],
        after: &[(
            "cm-acme-http-solver-b9kl2",
            "acme.cert-manager.io/http-domain=1234567890,acme.cert-manager.io/http-token=123123123,acme.cert-manager.io/http01-solver=true",
            "acme.cert-manager.io/v1 Challenge/shop-tls-2-1234567890-123123123",
        )],
    },
    Row {
        kind: "Agones, the next game server",
        workloads: &["arena (Fleet)"],
        selectors: &["agones.dev/role=gameserver"],
        before: &[(
            "arena-x7k2p-d4bqt",
            "agones.dev/role=gameserver,agones.dev/gameserver=arena-x7k2p-d4bqt",
            "agones.dev/v1 GameServer/arena-x7k2p-d4bqt",
        )],
        after: &[(
            "arena-b9kl2-t6v8d",
            "agones.dev/role=gameserver,agones.dev/gameserver=arena-b9kl2-t6v8d",
            "agones.dev/v1 GameServer/arena-b9kl2-t6v8d",
        )],
    },
    Row {
        kind: "Velero, the next backup",
        workloads: &["data-upload (DataUpload)"],
        selectors: &["velero.io/data-upload Exists"],
        before: &[("nightly-x7k2p", "velero.io/data-upload=nightly-x7k2p", "velero.io/v2alpha1 DataUpload/nightly-x7k2p")],
        after: &[("nightly-b9kl2", "velero.io/data-upload=nightly-b9kl2", "velero.io/v2alpha1 DataUpload/nightly-b9kl2")],
    },
    Row {
        kind: "OpenKruise's CloneSet, a pod made anew",
        workloads: &["web (CloneSet)"],
        selectors: &["app=web"],
        before: &[(
            "web-x7k2p",
            "app=web,apps.kruise.io/cloneset-instance-id=x7k2p,controller-revision-hash=web-6d4cf56db6,lifecycle.apps.kruise.io/state=Normal",
            "apps.kruise.io/v1alpha1 CloneSet/web",
        )],
        after: &[(
            "web-b9kl2",
            "app=web,apps.kruise.io/cloneset-instance-id=b9kl2,controller-revision-hash=web-8549c7dfb9,lifecycle.apps.kruise.io/state=PreparingUpdate",
            "apps.kruise.io/v1alpha1 CloneSet/web",
        )],
    },
    Row {
        kind: "LeaderWorkerSet, another group",
        workloads: &["llm (LeaderWorkerSet)"],
        selectors: &["leaderworkerset.sigs.k8s.io/name=llm"],
        before: &[
            (
                "llm-0",
                "leaderworkerset.sigs.k8s.io/name=llm,leaderworkerset.sigs.k8s.io/group-index=0,leaderworkerset.sigs.k8s.io/worker-index=0,leaderworkerset.sigs.k8s.io/group-key=0a1b2c3d4e",
                "apps/v1 StatefulSet/llm",
            ),
            (
                "llm-0-1",
                "leaderworkerset.sigs.k8s.io/name=llm,leaderworkerset.sigs.k8s.io/group-index=0,leaderworkerset.sigs.k8s.io/worker-index=1,leaderworkerset.sigs.k8s.io/group-key=0a1b2c3d4e",
                "apps/v1 StatefulSet/llm-0",
            ),
        ],
        after: &[(
            "llm-1-1",
            "leaderworkerset.sigs.k8s.io/name=llm,leaderworkerset.sigs.k8s.io/group-index=1,leaderworkerset.sigs.k8s.io/worker-index=1,leaderworkerset.sigs.k8s.io/group-key=ff1b2c3d4e",
            "apps/v1 StatefulSet/llm-1",
        )],
    },
    Row {
        kind: "JobSet, a restart",
        workloads: &["train-worker (JobSet)"],
        selectors: &["jobset.sigs.k8s.io/jobset-name=train,jobset.sigs.k8s.io/replicatedjob-name=worker"],
        before: &[(
            "train-worker-0-0-x7k2p",
            "jobset.sigs.k8s.io/jobset-name=train,jobset.sigs.k8s.io/replicatedjob-name=worker,jobset.sigs.k8s.io/job-key=0a1b2c3d4e,jobset.sigs.k8s.io/restart-attempt=0,batch.kubernetes.io/job-name=train-worker-0",
            "batch/v1 Job/train-worker-0",
        )],
        after: &[(
            "train-worker-0-0-b9kl2",
            "jobset.sigs.k8s.io/jobset-name=train,jobset.sigs.k8s.io/replicatedjob-name=worker,jobset.sigs.k8s.io/job-key=ff1b2c3d4e,jobset.sigs.k8s.io/restart-attempt=1,batch.kubernetes.io/job-name=train-worker-0",
            "batch/v1 Job/train-worker-0",
        )],
    },
    Row {
        kind: "Volcano, a task made anew",
        workloads: &["train-ps (Job)"],
        selectors: &["volcano.sh/job-name=train,volcano.sh/task-spec=ps"],
        before: &[(
            "train-ps-0",
            "volcano.sh/job-name=train,volcano.sh/task-spec=ps,volcano.sh/task-index=0,volcano.sh/job-version=1",
            "batch.volcano.sh/v1alpha1 Job/train",
        )],
        after: &[(
            "train-ps-1",
            "volcano.sh/job-name=train,volcano.sh/task-spec=ps,volcano.sh/task-index=1,volcano.sh/job-version=2",
            "batch.volcano.sh/v1alpha1 Job/train",
        )],
    },
    Row {
        kind: "KEDA's ScaledJob, the next job",
        workloads: &["resize (ScaledJob)"],
        selectors: &["scaledjob.keda.sh/name=resize"],
        before: &[(
            "resize-x7k2p-d4bqt",
            "scaledjob.keda.sh/name=resize,app.kubernetes.io/version=2.14.0,batch.kubernetes.io/job-name=resize-x7k2p",
            "batch/v1 Job/resize-x7k2p",
        )],
        after: &[(
            "resize-b9kl2-t6v8d",
            "scaledjob.keda.sh/name=resize,app.kubernetes.io/version=2.15.0,batch.kubernetes.io/job-name=resize-b9kl2",
            "batch/v1 Job/resize-b9kl2",
        )],
    },
    Row {
        kind: "OpenShift's DeploymentConfig without its objects, the next rollout",
        workloads: &["api (DeploymentConfig)"],
        selectors: &["deploymentconfig=api"],
        before: &[("api-7-x7k2p", "app=api,deployment=api-7,deploymentconfig=api", "v1 ReplicationController/api-7")],
        after: &[("api-8-b9kl2", "app=api,deployment=api-8,deploymentconfig=api", "v1 ReplicationController/api-8")],
    },
    Row {
        kind: "OpenShift's builds and deployers, the next ones",
        workloads: &["api (BuildConfig)", "deployer (DeploymentConfig)"],
        selectors: &["openshift.io/build.name Exists", "openshift.io/deployer-pod-for.name Exists"],
        before: &[
            ("api-3-build", "openshift.io/build.name=api-3", "build.openshift.io/v1 Build/api-3"),
            ("api-7-deploy", "openshift.io/deployer-pod-for.name=api-7", "v1 ReplicationController/api-7"),
        ],
        after: &[
            ("api-4-build", "openshift.io/build.name=api-4", "build.openshift.io/v1 Build/api-4"),
            ("api-8-deploy", "openshift.io/deployer-pod-for.name=api-8", "v1 ReplicationController/api-8"),
        ],
    },
    Row {
        kind: "OLM's catalog, the next version",
        workloads: &["redhat-operators (CatalogSource)"],
        selectors: &["olm.catalogSource=redhat-operators"],
        before: &[(
            "redhat-operators-x7k2p",
            "olm.catalogSource=redhat-operators,olm.managed=true,olm.pod-spec-hash=6cdb874f56,catalogsource.operators.coreos.com/update=redhat-operators-x7k2p",
            "operators.coreos.com/v1alpha1 CatalogSource/redhat-operators",
        )],
        after: &[(
            "redhat-operators-b9kl2",
            "olm.catalogSource=redhat-operators,olm.managed=true,olm.pod-spec-hash=77db874f56",
            "operators.coreos.com/v1alpha1 CatalogSource/redhat-operators",
        )],
    },
    Row {
        kind: "Crossplane's provider, the next version: another Deployment",
        workloads: &["aws-s3 (Provider)"],
        selectors: &["pkg.crossplane.io/provider=aws-s3"],
        before: &[(
            "aws-s3-dbc7f981d81f-6d4cf56db6-x7k2p",
            "pkg.crossplane.io/provider=aws-s3,pkg.crossplane.io/revision=aws-s3-dbc7f981d81f,pod-template-hash=6d4cf56db6",
            "apps/v1 ReplicaSet/aws-s3-dbc7f981d81f-6d4cf56db6",
        )],
        after: &[(
            "aws-s3-a0c7f981d8ff-8549c7dfb9-b9kl2",
            "pkg.crossplane.io/provider=aws-s3,pkg.crossplane.io/revision=aws-s3-a0c7f981d8ff,pod-template-hash=8549c7dfb9",
            "apps/v1 ReplicaSet/aws-s3-a0c7f981d8ff-8549c7dfb9",
        )],
    },
    Row {
        kind: "an operator that nothing is known of: fail-over",
        workloads: &["main (Cache)"],
        selectors: &["app=cache"],
        before: &[("main-0", "app=cache,cache.example.com/role=primary", "cache.example.com/v1 Cache/main")],
        after: &[("main-0", "app=cache,cache.example.com/role=replica", "cache.example.com/v1 Cache/main")],
    },
    Row {
        kind: "an operator that nothing is known of: an object and pod for each run",
        workloads: &["scan (Scan)"],
        selectors: &["app=scanner"],
        before: &[("scan-x7k2p", "app=scanner,target=scan-x7k2p,started=1790000000", "scans.example.com/v1 Scan/scan-x7k2p")],
        after: &[("scan-b9kl2", "app=scanner,target=scan-b9kl2,started=1790086400", "scans.example.com/v1 Scan/scan-b9kl2")],
    },
];

/// These pods in a namespace, each called by a client.
pub fn world(pods: &[Pod]) -> World {
    let mut world = World::default()
        .namespace("shop")
        .node("n1", "192.0.2.11", &["10.244.0.0/24"])
        .node("n2", "192.0.2.12", &["10.244.1.0/24"])
        .pod("shop", "client", "10.244.0.9", "n1", "app=client");
    for (number, (name, labels, owner)) in pods.iter().enumerate() {
        world = world.pod_of("shop", name, &format!("10.244.0.{}", 10 + number), "n1", labels, owner);
    }
    for number in 0..pods.len() {
        for _ in 0..2 {
            world = world.tcp("10.244.0.9", &format!("10.244.0.{}", 10 + number), 8080);
        }
    }
    world
}

/// What the policies select, but for the client and for every pod.
pub fn selected(learned: &Learned) -> BTreeSet<String> {
    let rules = learned.rules();
    let own = rules.iter().filter_map(|rule| rule.split(['[', ']']).nth(1)).map(str::to_owned);
    own.filter(|selector| selector != "app=client").collect()
}

pub fn workloads(learned: &Learned) -> Vec<String> {
    let listed = learned.summary["namespaces"]["shop"]["workloads"].as_array();
    let lines = listed.into_iter().flatten().map(|line| line.as_str().unwrap().to_owned());
    lines.filter(|line| line != "client (Pod)").collect()
}

/// Learns before the event, and checks the policies with the same traffic after it.
pub fn check(rows: &[Row]) {
    let mut failed = Vec::new();
    for Row { kind, workloads: expected, selectors, before, after } in rows {
        let learned = world(before).learn(&[]);
        if learned.code != Some(0) {
            failed.push(format!("{kind}: {}", learned.messages));
            continue;
        }
        if workloads(&learned) != *expected {
            failed.push(format!("{kind}: workloads {:?}", workloads(&learned)));
        }
        let expected: BTreeSet<String> = selectors.iter().map(|selector| (*selector).to_owned()).collect();
        if selected(&learned) != expected {
            failed.push(format!("{kind}: selectors {:#?}", selected(&learned)));
        }
        if learned.codes().contains("selector-may-not-last") {
            failed.push(format!("{kind}: {:?}", learned.findings("selector-may-not-last")));
        }
        let next = tempfile::tempdir().unwrap();
        let (capture, inventory) = world(after).write(next.path());
        let (code, stdout, stderr) = learned.verify(&capture, &inventory, &[]);
        if code != Some(0) {
            failed.push(format!("{kind}: after the event {code:?}: {stdout}\n{stderr}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn policies_fit_the_pods_after_the_next_event() {
    check(ROWS);
    assert!(ROWS.len() >= 25, "each kind has a row");
}

#[test]
fn a_label_that_changed_between_two_snapshots_is_in_no_selector() {
    // One pod of an operator that nothing is known of; only its own history shows which label is of the moment.
    let states = ["app=cache,standing=first", "app=cache,standing=second"]
        .map(|labels| world(&[("main-0", labels, "example.com/v1 Cache/main")]));
    let folder = tempfile::tempdir().unwrap();
    let (capture, first) = states[0].write(folder.path());
    let second = folder.path().join("second.yaml");
    fs::write(&second, states[1].inventory()).unwrap();
    let learned = learn_files(tempfile::tempdir().unwrap(), &capture, std::slice::from_ref(&first), &[]);
    assert_eq!(selected(&learned), BTreeSet::from(["app=cache,standing=first".to_owned()]), "one snapshot does not show it");
    let learned = learn_files(folder, &capture, &[first, second], &[]);
    assert_eq!(selected(&learned), BTreeSet::from(["app=cache".to_owned()]));
}

#[test]
fn a_selector_that_may_not_last_is_told_with_its_label_and_its_end() {
    let only_a_hash = ("main-0", "example.com/config-hash=0a1b2c3d4e", "example.com/v1 Cache/main");
    let learned = world(&[only_a_hash]).learn(&[]);
    let found = learned.findings("selector-may-not-last");
    assert_eq!(found.len(), 1, "{:?}", learned.codes());
    assert!(found[0].starts_with("shop/main: is selected by the presence of example.com/config-hash"), "{found:?}");
    assert_eq!(selected(&learned), BTreeSet::from(["example.com/config-hash Exists".to_owned()]));
}

#[test]
fn verify_says_which_policies_match_nothing_any_more() {
    let of = |colour: &str| {
        let labels = format!("app=web,colour={colour}");
        World::default()
            .namespace("shop")
            .node("n1", "192.0.2.11", &["10.244.0.0/24"])
            .pod("shop", "client", "10.244.0.9", "n1", "app=client")
            .pod_of("shop", "web-0", "10.244.0.10", "n1", &labels, "apps/v1 StatefulSet/web")
            .tcp("10.244.0.9", "10.244.0.10", 8080)
            .tcp("10.244.0.9", "10.244.0.10", 8080)
    };
    let learned = of("blue").learn(&[]);
    assert!(selected(&learned).contains("app=web,colour=blue"), "{:?}", selected(&learned));
    let next = tempfile::tempdir().unwrap();
    let (capture, inventory) = of("green").write(next.path());
    let (code, _, stderr) = learned.verify(&capture, &inventory, &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("selector-matches-nothing"), "{stderr}");
    for part in ["allow-ingress-to-web", "selects no pod", "allow-egress-from-client", "a peer whose selector matches no pod"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    // The same cluster, and a workload that is scaled to nothing, are no reason to say so.
    let (capture, inventory) = of("blue").write(next.path());
    let (code, _, stderr) = learned.verify(&capture, &inventory, &[]);
    assert_eq!(code, Some(0));
    assert!(!stderr.contains("selector-matches-nothing"), "{stderr}");
}

#[test]
fn on_cilium_a_label_that_it_leaves_out_is_told() {
    let twins = [
        ("web-6d4cf56db6-x7k2p", "app=web,pod-template-hash=6d4cf56db6", "apps/v1 ReplicaSet/web-6d4cf56db6"),
        ("web-0", "app=web,statefulset.kubernetes.io/pod-name=web-0", "apps/v1 StatefulSet/web"),
    ];
    let agent = "apiVersion: v1\nkind: Pod\nmetadata: {name: cilium-x7k2p, namespace: kube-system, labels: {k8s-app: cilium}}\n\
                 spec: {nodeName: n1, hostNetwork: true}\nstatus: {phase: Running, podIP: 192.0.2.11}";
    let learned = world(&twins).learn(&[]);
    assert!(!learned.codes().contains("label-ignored-by-plugin"), "{:?}", learned.codes());
    let learned = world(&twins).object(agent).learn(&[]);
    let found = learned.findings("label-ignored-by-plugin");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|finding| finding.contains("pod-template-hash")), "{found:?}");
}
