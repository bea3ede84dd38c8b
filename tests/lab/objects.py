"""The inventory: the cluster's objects at one moment, as `kubectl get ... -A -o yaml` prints them.

In: a Cluster and a time. Out: one `List` of plain dictionaries.
"""

from datetime import datetime, timezone

from cluster import letters, number, uid
from topology import family_of


def stamp(at):
    return datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def inventory(cluster, at):
    items = [
        *(namespace(name, created, labels) for name, (created, labels) in sorted(cluster.namespaces.items())),
        *(node(cluster, n) for n in sorted(cluster.nodes, key=lambda n: n.name)),
        *sorted((pod(cluster, p, at) for p in cluster.pods if p.stands(at)), key=place),
        *sorted((service(s) for s in cluster.services), key=place),
        *sorted((s for one in cluster.services for s in slices(cluster, one, at)), key=place),
    ]
    by_kind = {"Deployment": [], "ReplicaSet": [], "StatefulSet": [], "DaemonSet": [], "Job": [], "CronJob": []}
    for workload in cluster.workloads:
        if workload.kind == "Deployment":
            by_kind["Deployment"].append(deployment(cluster, workload, at))
            by_kind["ReplicaSet"] += replica_sets(cluster, workload, at)
        elif workload.kind == "StatefulSet":
            by_kind["StatefulSet"].append(stateful_set(cluster, workload, at))
        elif workload.kind == "DaemonSet":
            by_kind["DaemonSet"].append(daemon_set(cluster, workload, at))
        elif workload.kind == "CronJob":
            by_kind["CronJob"].append(cron_job(cluster, workload, at))
    by_kind["Job"] = [job(cluster, one, at) for one in cluster.jobs if one.created <= at]
    for kind in by_kind.values():
        items += sorted(kind, key=place)
    return {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}


def place(item):
    return item["metadata"]["namespace"], item["metadata"]["name"]


def metadata(kind, name, created, namespace=None, labels=None, owner=None, annotations=None, generate=None, identity=None,
             generation=None):
    made = {
        "creationTimestamp": stamp(created),
        "name": name,
        "resourceVersion": str(1000 + number(f"{kind}/{namespace}/{name}/{int(created)}", 9_000_000)),
        "uid": identity or uid(kind, namespace, name),
    }
    if namespace:
        made["namespace"] = namespace
    if labels:
        made["labels"] = dict(labels)
    if annotations:
        made["annotations"] = annotations
    if generate:
        made["generateName"] = generate
    if generation:
        made["generation"] = generation
    if owner:
        version, owner_kind, owner_name, owner_uid = owner
        reference = {"apiVersion": version, "kind": owner_kind, "name": owner_name, "uid": owner_uid, "controller": True}
        if owner_kind != "Node":
            reference["blockOwnerDeletion"] = True
        made["ownerReferences"] = [reference]
    return made


def namespace(name, created, labels):
    return {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": metadata("Namespace", name, created, labels={"kubernetes.io/metadata.name": name, **labels}),
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
    }


def node(cluster, one):
    labels = {"beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
              "kubernetes.io/hostname": one.name, "kubernetes.io/os": "linux"}
    spec = {"podCIDR": one.pod_ranges[0], "podCIDRs": one.pod_ranges}
    if one.control_plane:
        labels |= {"node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
        spec["taints"] = [{"effect": "NoSchedule", "key": "node-role.kubernetes.io/control-plane"}]
    addresses = [{"address": a, "type": "InternalIP"} for a in one.addresses]
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": metadata("Node", one.name, cluster.born, labels=labels), "spec": spec,
        "status": {
            "addresses": [*addresses, {"address": one.name, "type": "Hostname"}],
            "capacity": {"cpu": "4", "memory": "8127044Ki", "pods": "110"},
            "conditions": [{"lastTransitionTime": stamp(cluster.born + 60), "message": "kubelet is posting ready status",
                            "reason": "KubeletReady", "status": "True", "type": "Ready"}],
            "nodeInfo": {"architecture": "amd64", "containerRuntimeVersion": "containerd://2.1.4", "kubeletVersion": "v1.34.2",
                         "operatingSystem": "linux", "osImage": "Debian GNU/Linux 12 (bookworm)"},
        },
    }


def container(workload, image):
    made = {"image": image, "imagePullPolicy": "IfNotPresent", "name": workload.name, "resources": {}}
    if workload.ports:
        made["ports"] = []
        for name, port, protocol in workload.ports:
            one = {"containerPort": port, "protocol": protocol}
            if name:
                one["name"] = name
            if workload.host_network:
                one["hostPort"] = port
            made["ports"].append(one)
    return made


def pod_spec(workload, image):
    spec = {
        "containers": [container(workload, image)], "dnsPolicy": "ClusterFirst", "restartPolicy": "Always",
        "schedulerName": "default-scheduler", "securityContext": {}, "terminationGracePeriodSeconds": 5,
    }
    if workload.kind in ("CronJob", "Job"):
        spec["restartPolicy"] = "OnFailure"
    if workload.host_network:
        spec["hostNetwork"] = True
    return spec


def pod(cluster, one, at):
    workload = one.workload
    labels, owner, generate, annotations = dict(workload.labels), None, None, None
    if workload.kind == "Deployment":
        code = workload.hash_of(one.revision)
        labels["pod-template-hash"] = code
        set_name = f"{workload.name}-{code}"
        owner = ("apps/v1", "ReplicaSet", set_name, uid("ReplicaSet", workload.namespace, set_name))
        generate = f"{set_name}-"
    elif workload.kind == "StatefulSet":
        labels |= {"controller-revision-hash": f"{workload.name}-{letters(workload.name, 10)}",
                   "statefulset.kubernetes.io/pod-name": one.name, "apps.kubernetes.io/pod-index": one.name.rsplit("-", 1)[1]}
        owner = ("apps/v1", "StatefulSet", workload.name, uid("StatefulSet", workload.namespace, workload.name))
        generate = f"{workload.name}-"
    elif workload.kind == "DaemonSet":
        labels |= {"controller-revision-hash": letters(workload.name, 10), "pod-template-generation": "1"}
        owner = ("apps/v1", "DaemonSet", workload.name, uid("DaemonSet", workload.namespace, workload.name))
        generate = f"{workload.name}-"
    elif workload.kind == "CronJob":
        identity = uid("Job", workload.namespace, one.job.name)
        labels |= job_labels(one.job.name, identity)
        owner = ("batch/v1", "Job", one.job.name, identity)
        generate = f"{one.job.name}-"
    elif workload.kind == "Node":
        owner = ("v1", "Node", one.node, uid("Node", None, one.node))
        mirror = letters(one.name, 32)
        annotations = {"kubernetes.io/config.hash": mirror, "kubernetes.io/config.mirror": mirror,
                       "kubernetes.io/config.source": "file"}
    made = metadata("Pod", one.name, one.started, workload.namespace, labels, owner, annotations, generate, one.uid)
    if one.deletion is not None and one.deletion - 5 <= at:
        made |= {"deletionGracePeriodSeconds": 5, "deletionTimestamp": stamp(one.deletion)}
    image = workload.revisions[one.revision][1]
    spec = {**pod_spec(workload, image), "nodeName": one.node, "serviceAccountName": "default"}
    host = next(n for n in cluster.nodes if n.name == one.node)
    finished = one.finished is not None and one.finished <= at
    began = stamp(one.started)
    if finished:
        state = {"terminated": {"exitCode": 0, "finishedAt": stamp(one.finished), "reason": "Completed", "startedAt": began}}
    else:
        state = {"running": {"startedAt": began}}
    ready = "False" if finished else "True"
    conditions = [{"lastProbeTime": None, "lastTransitionTime": stamp(one.finished if finished else one.started),
                   "status": status, "type": kind}
                  for kind, status in (("PodReadyToStartContainers", ready), ("Initialized", "True"), ("Ready", ready),
                                       ("ContainersReady", ready), ("PodScheduled", "True"))]
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": spec,
        "status": {
            "conditions": conditions,
            "containerStatuses": [{"image": image, "imageID": f"sha256:{uid('image', image).replace('-', '')}", "lastState": {},
                                   "name": workload.name, "ready": not finished, "restartCount": 0, "started": not finished,
                                   "state": state}],
            "hostIP": host.addresses[0], "hostIPs": [{"ip": a} for a in host.addresses],
            "phase": "Succeeded" if finished else "Running",
            "podIP": one.addresses[0], "podIPs": [{"ip": a} for a in one.addresses],
            "qosClass": "BestEffort", "startTime": stamp(one.started),
        },
    }


def job_labels(name, identity):
    return {"batch.kubernetes.io/controller-uid": identity, "batch.kubernetes.io/job-name": name, "controller-uid": identity,
            "job-name": name}


def service(one):
    ports = []
    for port in one.ports:
        made = {"port": port.port, "protocol": port.protocol, "targetPort": port.target}
        if port.name:
            made["name"] = port.name
        if port.node_port:
            made["nodePort"] = port.node_port
        ports.append(made)
    families = [f"IPv{family_of(a)}" for a in one.cluster_ips]
    spec = {
        "clusterIP": one.cluster_ips[0], "clusterIPs": one.cluster_ips, "internalTrafficPolicy": "Cluster", "ipFamilies": families,
        "ipFamilyPolicy": "SingleStack" if len(families) == 1 else "RequireDualStack", "ports": ports, "sessionAffinity": "None",
        "type": one.kind,
    }
    if one.selector:
        spec["selector"] = one.selector
    if one.kind != "ClusterIP":
        spec["externalTrafficPolicy"] = one.traffic_policy
    if one.kind == "LoadBalancer":
        spec["allocateLoadBalancerNodePorts"] = True
    status = {"loadBalancer": {"ingress": [{"ip": a, "ipMode": "VIP"} for a in one.balancer_ips]} if one.balancer_ips else {}}
    labels = {"component": "apiserver", "provider": "kubernetes"} if one.fixed else None
    if one.name == "kube-dns":
        labels = {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    return {"apiVersion": "v1", "kind": "Service", "spec": spec, "status": status,
            "metadata": metadata("Service", one.name, one.created, one.namespace, labels)}


def slices(cluster, one, at):
    """One EndpointSlice for each family (and for each set of target ports, which here is always one)."""
    for family in sorted({family_of(a) for a in one.cluster_ips}):
        if one.fixed:
            yield {
                "addressType": f"IPv{family}", "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a, _ in one.fixed if family_of(a) == family],
                "metadata": metadata("EndpointSlice", one.name, one.created, one.namespace,
                                     {"kubernetes.io/service-name": one.name}),
                "ports": [{"name": p.name, "port": one.fixed[0][1], "protocol": p.protocol} for p in one.ports],
            }
            continue
        name = f"{one.name}-{letters(f'slice/{one.namespace}/{one.name}/{family}', 5)}"
        endpoints, ports = [], None
        for pod_ in cluster.selected(one, at):
            for address in pod_.addresses:
                if family_of(address) == family:
                    endpoints.append({
                        "addresses": [address], "conditions": {"ready": True, "serving": True, "terminating": False},
                        "nodeName": pod_.node,
                        "targetRef": {"kind": "Pod", "name": pod_.name, "namespace": one.namespace, "uid": pod_.uid},
                    })
                    ports = [{"name": p.name, "port": cluster.target(pod_, p), "protocol": p.protocol} for p in one.ports]
        yield {
            "addressType": f"IPv{family}", "apiVersion": "discovery.k8s.io/v1", "endpoints": endpoints, "kind": "EndpointSlice",
            "metadata": metadata(
                "EndpointSlice", name, one.created, one.namespace,
                {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io", "kubernetes.io/service-name": one.name},
                ("v1", "Service", one.name, uid("Service", one.namespace, one.name)), generate=f"{one.name}-"),
            "ports": ports,
        }


def template(workload, image, labels=None):
    return {"metadata": {"creationTimestamp": None, "labels": labels or workload.labels}, "spec": pod_spec(workload, image)}


def standing(cluster, workload, at, revision=None):
    return sum(1 for p in cluster.pods if p.workload is workload and p.serves(at) and revision in (None, p.revision))


def revisions_at(workload, at):
    return [n for n, (when, _) in enumerate(workload.revisions) if when <= at]


def deployment(cluster, one, at):
    count = standing(cluster, one, at)
    last = revisions_at(one, at)[-1]
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": metadata("Deployment", one.name, one.created, one.namespace, one.labels, generation=last + 1,
                             annotations={"deployment.kubernetes.io/revision": str(last + 1)}),
        "spec": {"progressDeadlineSeconds": 600, "replicas": count, "revisionHistoryLimit": 10,
                 "selector": {"matchLabels": one.selector},
                 "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}, "type": "RollingUpdate"},
                 "template": template(one, one.revisions[last][1])},
        "status": {"availableReplicas": count, "observedGeneration": last + 1, "readyReplicas": count, "replicas": count,
                   "updatedReplicas": count},
    }


def replica_sets(cluster, one, at):
    for revision in revisions_at(one, at):
        when, image = one.revisions[revision]
        code, count = one.hash_of(revision), standing(cluster, one, at, revision)
        labels = {**one.labels, "pod-template-hash": code}
        status = {"observedGeneration": 1, "replicas": count}
        if count:
            status |= {"availableReplicas": count, "fullyLabeledReplicas": count, "readyReplicas": count}
        yield {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": metadata("ReplicaSet", f"{one.name}-{code}", when, one.namespace, labels,
                                 ("apps/v1", "Deployment", one.name, uid("Deployment", one.namespace, one.name)),
                                 {"deployment.kubernetes.io/desired-replicas": str(count),
                                  "deployment.kubernetes.io/revision": str(revision + 1)}, generation=1),
            "spec": {"replicas": count, "selector": {"matchLabels": {**one.selector, "pod-template-hash": code}},
                     "template": template(one, image, labels)},
            "status": status,
        }


def stateful_set(cluster, one, at):
    count = standing(cluster, one, at)
    revision = f"{one.name}-{letters(one.name, 10)}"
    return {
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": metadata("StatefulSet", one.name, one.created, one.namespace, one.labels, generation=1),
        "spec": {"podManagementPolicy": "OrderedReady", "replicas": count, "revisionHistoryLimit": 10,
                 "selector": {"matchLabels": one.selector}, "serviceName": one.name, "template": template(one, one.image),
                 "updateStrategy": {"rollingUpdate": {"partition": 0}, "type": "RollingUpdate"}},
        "status": {"availableReplicas": count, "collisionCount": 0, "currentReplicas": count, "currentRevision": revision,
                   "observedGeneration": 1, "readyReplicas": count, "replicas": count, "updateRevision": revision},
    }


def daemon_set(cluster, one, at):
    count = standing(cluster, one, at)
    return {
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": metadata("DaemonSet", one.name, one.created, one.namespace, one.labels, generation=1,
                             annotations={"deprecated.daemonset.template.generation": "1"}),
        "spec": {"revisionHistoryLimit": 10, "selector": {"matchLabels": one.selector}, "template": template(one, one.image),
                 "updateStrategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}, "type": "RollingUpdate"}},
        "status": {"currentNumberScheduled": count, "desiredNumberScheduled": count, "numberAvailable": count, "numberMisscheduled": 0,
                   "numberReady": count, "observedGeneration": 1, "updatedNumberScheduled": count},
    }


def cron_job(cluster, one, at):
    jobs = [j for j in cluster.jobs if j.owner is one and j.created <= at]
    status = {}
    scheduled = [j.created for j in jobs if not j.manual]
    if scheduled:
        status["lastScheduleTime"] = stamp(max(scheduled) // 60 * 60)
    done = [j.completed for j in jobs if j.completed is not None and j.completed <= at]
    if done:
        status["lastSuccessfulTime"] = stamp(max(done))
    return {
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": metadata("CronJob", one.name, one.created, one.namespace, one.labels, generation=1),
        "spec": {"concurrencyPolicy": "Allow", "failedJobsHistoryLimit": 1,
                 "jobTemplate": {"metadata": {"creationTimestamp": None}, "spec": {"template": template(one, one.image)}},
                 "schedule": one.schedule, "successfulJobsHistoryLimit": 3, "suspend": False},
        "status": status,
    }


def job(cluster, one, at):
    owner = one.owner
    identity = uid("Job", owner.namespace, one.name)
    labels = job_labels(one.name, identity)
    status = {"startTime": stamp(one.created), "terminating": 0, "uncountedTerminatedPods": {}}
    if one.completed is not None and one.completed <= at:
        status |= {"completionTime": stamp(one.completed), "ready": 0, "succeeded": 1,
                   "conditions": [{"lastProbeTime": stamp(one.completed), "lastTransitionTime": stamp(one.completed),
                                   "status": "True", "type": "Complete"}]}
    else:
        status |= {"active": 1, "ready": 1}
    annotations = ({"cronjob.kubernetes.io/instantiate": "manual"} if one.manual
                   else {"batch.kubernetes.io/cronjob-scheduled-timestamp": stamp(one.created // 60 * 60)})
    return {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": metadata("Job", one.name, one.created, owner.namespace, {**owner.labels, **labels},
                             ("batch/v1", "CronJob", owner.name, uid("CronJob", owner.namespace, owner.name)), annotations,
                             generation=1),
        "spec": {"backoffLimit": 6, "completionMode": "NonIndexed", "completions": 1, "manualSelector": False, "parallelism": 1,
                 "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": identity}}, "suspend": False,
                 "template": template(owner, owner.image, {**owner.labels, **labels})},
        "status": status,
    }
