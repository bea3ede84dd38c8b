//! Databases, queues and storage: roles that change hands, instances made anew.

use super::super::Event::{Change, FailOver, NodeChange, Replacement, Rollout, Upgrade};
use super::{Known, project};

/// The projects.
pub(super) const TABLE: &[Known] = &[
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
            ("longhorn.io/share-manager", Replacement),
            ("longhorn.io/backing-image-manager", Replacement),
            ("longhorn.io/backing-image-data-source", Replacement),
            ("longhorn.io/disk-uuid", NodeChange),
        ],
        &["longhorn.io/component"],
    ),
    // hashicorp/vault serviceregistration/kubernetes/service_registration.go: the server labels its own pod.
    project(
        &["vault-sealed", "vault-active", "vault-initialized"],
        &[
            ("vault-active", FailOver),
            ("vault-perf-standby", FailOver),
            ("vault-sealed", Change),
            ("vault-initialized", Change),
            ("vault-version", Upgrade),
        ],
        &[],
    ),
    // openbao/openbao serviceregistration/kubernetes/service_registration.go
    project(
        &["openbao-sealed", "openbao-active", "openbao-initialized"],
        &[
            ("openbao-active", FailOver),
            ("openbao-perf-standby", FailOver),
            ("openbao-sealed", Change),
            ("openbao-initialized", Change),
            ("openbao-version", Upgrade),
        ],
        &[],
    ),
    // apecloud/kubeblocks pkg/constant/labels.go
    project(
        &["apps.kubeblocks.io/component-name"],
        &[
            ("kubeblocks.io/role", FailOver),
            ("apps.kubeblocks.io/pod-name", Replacement),
            ("apps.kubeblocks.io/cluster-uid", Replacement),
            ("workloads.kubeblocks.io/role-priority", FailOver),
        ],
        &["app.kubernetes.io/instance", "apps.kubeblocks.io/component-name", "apps.kubeblocks.io/shard-name"],
    ),
    // mariadb-operator/mariadb-operator pkg/metadata/metadata.go
    project(&[], &[("k8s.mariadb.com/role", FailOver)], &[]),
    // ongres/stackgres, Patroni's `role`
    project(
        &["stackgres.io/cluster-name"],
        &[("role", FailOver), ("stackgres.io/cluster-uid", Replacement)],
        &["stackgres.io/cluster-name", "stackgres.io/cluster"],
    ),
    // banzaicloud/koperator pkg/util/kafka/common.go
    project(&["kafka_cr"], &[("brokerId", Replacement)], &["app", "kafka_cr"]),
    // couchbase: docs.couchbase.com/operator, Kubernetes labels
    project(&["couchbase_cluster"], &[("couchbase_node", Replacement)], &["app", "couchbase_cluster", "couchbase_server"]),
];
