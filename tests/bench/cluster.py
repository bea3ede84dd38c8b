"""Writes a cluster of any size and what its pods said: an inventory (JSON as kubectl prints it) and flow files.

In: how many nodes, pods, workloads, Services, edges, flow files and records. Out: DIRECTORY/inventory.json and DIRECTORY/flows/*.zst. The same
numbers and seed give the same bytes. Every edge is between two workloads; every record is one answered connection on one of them.
"""

import argparse
import json
import pathlib
import random
import subprocess

PODS_OF_NODE = 256
START = "2026-11-21T08:"
# Link addresses as numbers: of the first pod, and of the gateway of all.
POD_STATIONS, GATEWAY = 0x0200_0000_0000, 0xEEEE_EEEE_EEEE
TOLD_EVERY = 10_000_000_000


def address(second: int, number: int) -> str:
    """The address with this number, counted from 10.second.0.0."""
    return f"10.{second + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


class Cluster:
    """Who is there."""

    def __init__(self, nodes: int, pods: int, workloads: int, services: int) -> None:
        self.nodes, self.pods, self.workloads, self.services = nodes, pods, workloads, services
        if pods > nodes * (PODS_OF_NODE - 2):
            raise SystemExit(f"{nodes} nodes have no room for {pods} pods")

    def namespace(self, workload: int) -> str:
        return f"team-{workload // 10:04}"

    def name(self, workload: int) -> str:
        return f"service-{workload % 10}"

    def pod(self, number: int) -> tuple[str, str, str]:
        """Name, address and node. Pods of a workload lie on different nodes."""
        node, place = number % self.nodes, number // self.nodes
        workload = number % self.workloads
        name = f"{self.name(workload)}-6d4cf56db6-{number:06x}"
        return name, address(0, node * PODS_OF_NODE + place + 2), f"node-{node:04}"

    def pods_of(self, workload: int) -> range:
        return range(workload, self.pods, self.workloads)

    def objects(self):
        """All objects, as the API has them, with what real ones carry beside what is read."""
        noise = [{"name": f"SETTING_{number}", "value": "x" * 60} for number in range(60)]
        fields = {"f:metadata": {f"f:label-{number}": {} for number in range(100)}}
        for number in range(self.nodes):
            yield {
                "apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{number:04}"},
                "spec": {"podCIDR": f"{address(0, number * PODS_OF_NODE)}/24", "podCIDRs": [f"{address(0, number * PODS_OF_NODE)}/24"]},
                "status": {"addresses": [{"type": "InternalIP", "address": f"172.{16 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"}]},
            }
        for name in sorted({self.namespace(workload) for workload in range(self.workloads)}):
            yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}
        for workload in range(self.workloads):
            namespace, name = self.namespace(workload), self.name(workload)
            metadata = {"namespace": namespace, "labels": {"app": name}}
            spec = {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}}}
            yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {**metadata, "name": name}, "spec": spec}
            owner = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": f"d-{workload}", "controller": True}]
            metadata = {**metadata, "name": f"{name}-6d4cf56db6", "ownerReferences": owner}
            yield {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}
        for number in range(self.pods):
            workload = number % self.workloads
            namespace, owner = self.namespace(workload), self.name(workload)
            name, pod_address, node = self.pod(number)
            controller = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{owner}-6d4cf56db6", "uid": f"r-{workload}", "controller": True}
            labels = {"app": owner, "pod-template-hash": "6d4cf56db6", "release": "stable"}
            container = {"name": "main", "image": "registry/app:1", "ports": [{"containerPort": 8080, "protocol": "TCP"}], "env": noise}
            running = {"name": "main", "state": {"running": {"startedAt": f"{START}00:05Z"}}, "restartCount": 0, "ready": True}
            yield {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": name, "namespace": namespace, "uid": f"p-{number}", "labels": labels, "ownerReferences": [controller],
                    "creationTimestamp": f"{START}00:00Z", "managedFields": [{"manager": "kubelet", "fieldsV1": fields}],
                },
                "spec": {"nodeName": node, "containers": [container], "volumes": [{"name": "config", "configMap": {"name": "config"}}]},
                "status": {
                    "phase": "Running", "podIP": pod_address, "podIPs": [{"ip": pod_address}], "startTime": f"{START}00:02Z",
                    "containerStatuses": [running],
                },
            }
        for number in range(self.services):
            workload = number % self.workloads
            namespace, name = self.namespace(workload), f"{self.name(workload)}-{number // self.workloads}"
            cluster_address = address(200, number + 1)
            yield {
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "type": "ClusterIP", "clusterIP": cluster_address, "clusterIPs": [cluster_address],
                    "selector": {"app": self.name(workload)}, "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}],
                },
            }
            endpoints = []
            for pod in self.pods_of(workload):
                pod_name, pod_address, node = self.pod(pod)
                target = {"kind": "Pod", "namespace": namespace, "name": pod_name}
                endpoints.append({"addresses": [pod_address], "conditions": {"ready": True}, "nodeName": node, "targetRef": target})
            yield {
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {"name": f"{name}-x", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
                "endpoints": endpoints, "ports": [{"port": 8080, "protocol": "TCP"}],
            }


def write_inventory(cluster: Cluster, path: pathlib.Path) -> None:
    with path.open("w") as file:
        file.write('{"apiVersion":"v1","kind":"List","items":[\n')
        for number, item in enumerate(cluster.objects()):
            file.write((",\n" if number else "") + json.dumps(item))
        file.write("\n]}\n")


def edges(cluster: Cluster, count: int) -> list[tuple[int, int, int]]:
    """Originator, responder and port: every workload calls the same number of the ones after it."""
    per_workload = -(-count // cluster.workloads)
    far = [distance * 37 % (cluster.workloads - 1) + 1 for distance in range(per_workload)]
    all_edges = [
        (workload, (workload + distance) % cluster.workloads, 8080 + number % 3)
        for number, distance in enumerate(far) for workload in range(cluster.workloads)
    ]
    return all_edges[:count]


def write_flows(cluster: Cluster, path: pathlib.Path, talk: list[tuple[int, int, int]], records: int, first: int, dice: random.Random) -> None:
    """One flow file: `records` connections within an hour, on edges in turn from number `first` on."""
    # As netpol-gen writes them.
    program = subprocess.Popen(["zstd", "-q", "-1", "--zstd=wlog=17", "-f", "-o", path], stdin=subprocess.PIPE, text=True)
    assert program.stdin
    line = program.stdin.write
    header = {"version": 4, "tool": "bench", "host": path.name, "interfaces": ["any"], "filter": "", "at": f"{START}01:00Z"}
    line(json.dumps({"header": header}) + "\n")
    told = 0
    for number in range(records):
        originator, responder, port = talk[(first + number) % len(talk)]
        pods = [dice.choice(cluster.pods_of(workload)) for workload in (originator, responder)]
        (_, caller, _), (_, called, _) = (cluster.pod(pod) for pod in pods)
        nanosecond = number * 3_000_000_000_000 // records
        minute, rest = divmod(nanosecond, 60_000_000_000)
        at = f"{START}{minute + 2:02}:{rest // 1_000_000_000:02}.{rest % 1_000_000_000:09}Z"
        if nanosecond // TOLD_EVERY > told:
            told = nanosecond // TOLD_EVERY
            line(f'{{"checkpoint":{{"at":"{at}"}}}}\n')
        answered = dice.randrange(50_000, 500_000)
        last = answered + dice.randrange(1_000_000, 100_000_000)
        did = '"did":["carried-payload","finished"]'
        # As the caller's node sees it: between the pod's link address and that of its gateway.
        station = POD_STATIONS + pods[0]
        there, back = f'"stations":[[{station},{GATEWAY},1]]', f'"stations":[[{GATEWAY},{station},0]]'
        line(
            f'{{"conversation":{{"protocol":"TCP","first":"{at}","ends":[{{"address":"{caller}","port":{dice.randrange(32768, 61000)},'
            f'"heard":[0,{last}],"carried":{last},{did},{there}}},{{"address":"{called}","port":{port},"heard":[{answered},{last - 40_000}],'
            f'"carried":{last - 40_000},{did},{back}}}],"openings":[{{"by":0,"number":{dice.getrandbits(32)},"after":0,"answer":{dice.getrandbits(32)}}}]}}}}\n'
        )
    line(json.dumps({"end": {"at": f"{START}59:00Z"}}) + "\n")
    program.stdin.close()
    if program.wait() != 0:
        raise SystemExit(f"{path}: zstd failed")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {"nodes": 5000, "pods": 150_000, "workloads": 5000, "services": 20_000, "edges": 100_000, "files": 1, "records": 200_000}.items():
        arguments.add_argument(f"--{name}", type=int, default=default)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--no-inventory", action="store_true", help="only the flow files")
    arguments.add_argument("directory", type=pathlib.Path)
    given = arguments.parse_args()
    cluster = Cluster(given.nodes, given.pods, given.workloads, given.services)
    (given.directory / "flows").mkdir(parents=True, exist_ok=True)
    if not given.no_inventory:
        write_inventory(cluster, given.directory / "inventory.json")
    talk, dice = edges(cluster, given.edges), random.Random(given.seed)
    for number in range(given.files):
        path = given.directory / "flows" / f"{number:03}.flows.zst"
        write_flows(cluster, path, talk, given.records, number * given.records, dice)


if __name__ == "__main__":
    main()
