//! Kubernetes itself, what deploys to it, meshes and platforms.

use super::super::Event::{Change, NodeChange, Replacement, Rollout, Run, Upgrade};
use super::{Known, RUN, project};

/// The projects.
pub(super) const TABLE: &[Known] = &[
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
    // crossplane/crossplane internal/controller/pkg/runtime
    project(
        &["pkg.crossplane.io/revision"],
        &[("pkg.crossplane.io/revision", Upgrade)],
        &["pkg.crossplane.io/provider", "pkg.crossplane.io/function"],
    ),
    // rabbitmq/cluster-operator internal/metadata; dapr/dapr pkg/injector/consts; openfaas/faas-netes pkg/handlers/deploy.go
    project(&[], &[], &["dapr.io/app-id", "faas_function"]),
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
    // kubevirt/containerized-data-importer pkg/controller/common/util.go
    project(
        &["cdi.kubevirt.io"],
        &[("cdi.kubevirt.io/storage.import.importPvcName", Run), ("cdi.kubevirt.io/storage.pvc.name", Run)],
        &["app", "cdi.kubevirt.io"],
    ),
    // openkruise/rollouts api/v1beta1/rollout_types.go, api/v1alpha1/batchrelease_plan_types.go
    project(
        &[],
        &[
            ("rollouts.kruise.io/rollout-id", Rollout),
            ("rollouts.kruise.io/rollout-batch-id", Rollout),
            ("apps.kruise.io/rollout-id", Rollout),
            ("apps.kruise.io/rollout-batch-id", Rollout),
        ],
        &[],
    ),
    // GoogleContainerTools/skaffold pkg/skaffold/deploy/label/labeller.go; Cloud Deploy: cloud.google.com/deploy/docs/labels-annotations
    project(&[], &[("skaffold.dev/run-id", Rollout), ("deploy.cloud.google.com/release-id", Rollout)], &[]),
    // eksctl and EKS Fargate: the profile that a pod was scheduled by (docs.aws.amazon.com/eks/latest/userguide/fargate-profile.html)
    project(&[], &[("eks.amazonaws.com/fargate-profile", NodeChange)], &[]),
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
