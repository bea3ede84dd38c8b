"""The cluster's objects as the lab knows them: workloads, pods with their lifetimes, Services.

In: what a scenario declares and the moments at which its pods really started and ended.
Out: facts for `objects.py`, which prints them as Kubernetes does, and for `proxy.py`, which translates Service addresses.
Times are seconds since 1970. Objects that stand when a recording begins are given an age of hours or days.
"""

import hashlib
import uuid
from dataclasses import dataclass, field

from topology import family_of

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # what Kubernetes uses in generated names
HOUR = 3600
DAY = 24 * HOUR


def letters(seed, count):
    digest = hashlib.sha256(seed.encode()).digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:count])


def number(seed, below):
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % below


def uid(*parts):
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


@dataclass
class Node:
    name: str
    addresses: list
    pod_ranges: list
    control_plane: bool = False


@dataclass
class ServicePort:
    port: int
    target: object  # a number, or the name of a container port
    protocol: str = "TCP"
    name: str = ""
    node_port: int = 0


@dataclass
class Service:
    namespace: str
    name: str
    selector: dict
    ports: list
    cluster_ips: list
    kind: str = "ClusterIP"
    balancer_ips: list = field(default_factory=list)
    traffic_policy: str = "Cluster"
    fixed: list = field(default_factory=list)  # (address, port): backends that are no pods
    created: float = 0


@dataclass
class Workload:
    kind: str
    namespace: str
    name: str
    labels: dict  # of the pod template
    selector: dict
    ports: list  # (name, number, protocol)
    image: str
    host_network: bool = False
    schedule: str = ""
    created: float = 0
    revisions: list = field(default_factory=list)  # (when, image) of each roll-out

    @property
    def template_hash(self):
        return self.hash_of(len(self.revisions) - 1)

    def hash_of(self, revision):
        return letters(f"template/{self.namespace}/{self.name}/{revision}", 10)


@dataclass
class Job:
    owner: Workload
    name: str
    created: float
    manual: bool = False
    completed: float = None


@dataclass
class Pod:
    workload: Workload
    name: str
    node: str
    addresses: list
    started: float
    uid: str
    revision: int = 0
    job: Job = None
    deletion: float = None  # when the object says it will be gone: the request plus the grace period
    finished: float = None  # when the containers ended by themselves (Jobs)
    removed: float = None  # when the object left the API

    @property
    def host_network(self):
        return self.workload.host_network

    def stands(self, at):
        return self.started <= at and (self.removed is None or at < self.removed)

    def serves(self, at):
        return self.stands(at) and self.finished is None and self.deletion is None


class Cluster:
    def __init__(self, born):
        self.born = born - 41 * DAY
        self.now = born
        self.namespaces = {}
        self.nodes, self.workloads, self.pods, self.jobs, self.services = [], [], [], [], []
        for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
            self.namespace(name, created=self.born)

    def namespace(self, name, created=None, labels=None):
        self.namespaces[name] = (created or self.age(name), labels or {})

    def age(self, seed):
        """A moment some days before the recording, the same for the same object in every build."""
        return self.now - 3 * DAY - number(seed, 20 * DAY)

    def workload(self, kind, namespace, name, labels, ports=(), image="docker.io/library/busybox:1.36", selector=None, **more):
        created = self.age(f"{namespace}/{name}")
        made = Workload(kind, namespace, name, labels, selector if selector is not None else dict(labels), list(ports), image,
                        created=created, revisions=[(created, image)], **more)
        self.workloads.append(made)
        return made

    def pod(self, workload, node, addresses, started=None, job=None):
        """A pod's object. Without `started`, it stood long before the recording."""
        count = sum(1 for pod in self.pods if pod.workload is workload)
        seed = f"{workload.namespace}/{workload.name}/{count}"
        if workload.kind == "StatefulSet":
            standing = sum(1 for one in self.pods if one.workload is workload and one.removed is None)
            name = f"{workload.name}-{standing}"
        elif workload.kind == "Deployment":
            name = f"{workload.name}-{workload.template_hash}-{letters(seed, 5)}"
        elif workload.kind == "Node":  # a static pod's mirror
            name = f"{workload.name}-{node}"
        elif job:
            name = f"{job.name}-{letters(seed, 5)}"
        elif workload.kind == "Pod":
            name = workload.name
        else:
            name = f"{workload.name}-{letters(seed, 5)}"
        if started is None:
            latest = workload.revisions[-1][0]
            started = max(latest, self.now - 2 * DAY - number(seed, DAY))
        made = Pod(workload, name, node, list(addresses), started, uid("pod", seed, started), len(workload.revisions) - 1, job)
        self.pods.append(made)
        return made

    def job(self, cron, name, created, manual=False):
        made = Job(cron, name, created, manual)
        self.jobs.append(made)
        return made

    def service(self, namespace, name, selector, ports, cluster_ips, **more):
        made = Service(namespace, name, selector, ports, cluster_ips, created=self.age(f"service/{namespace}/{name}"), **more)
        self.services.append(made)
        return made

    def selected(self, service, at):
        if not service.selector:
            return []
        wanted = service.selector.items()
        return [pod for pod in self.pods
                if pod.workload.namespace == service.namespace and pod.serves(at) and wanted <= pod.workload.labels.items()]

    def backends(self, service, port, family, node=None):
        """(address, port) of what a Service port leads to now."""
        found = [(a, p) for a, p in service.fixed if family_of(a) == family and node is None]
        for pod in self.selected(service, self.now):
            if node in (None, pod.node):
                found += [(a, self.target(pod, port)) for a in pod.addresses if family_of(a) == family]
        return found

    @staticmethod
    def target(pod, port):
        if isinstance(port.target, int):
            return port.target
        return next(n for name, n, _ in pod.workload.ports if name == port.target)
