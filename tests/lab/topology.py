"""The network: namespaces as pods, nodes, outside hosts, and the wires between them.

In: which nodes, pods and outside hosts a scenario wants, with their addresses.
Out: running network namespaces, all under one unique prefix, and none left at the end.

    outside hosts --- world (router) === lan (bridge) === node-1 --- pods
                                                      === node-2 --- pods

A pod has one address per family as a host route and its default route through the node, as Calico and kindnet do, so every
packet between pods crosses the node's IP stack, where Service addresses are translated. No namespace has a way to the machine
it runs on: nothing is ever attached to the namespace the lab was started from.
"""

import hashlib
import ipaddress
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

GATEWAY = {4: "169.254.1.1", 6: "fe80::1"}
LAN = {4: "10.0.0.1/24", 6: "fd00:10::1/64"}


def family_of(address):
    return ipaddress.ip_address(address).version


def run(arguments, **options):
    """Run one command to its end; its output becomes part of the error when it fails."""
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: exit {done.returncode}\n{options.get('input') or ''}{done.stdout}")
    return done.stdout


class Host:
    """One network namespace and the programs that run in it."""

    def __init__(self, network, name, families):
        self.network = network
        self.name = name
        self.netns = f"{network.prefix}-{name}"
        self.addresses = []
        self.programs = []
        run(["ip", "netns", "add", self.netns])
        network.hosts[name] = self
        settings = [
            "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.default.rp_filter=0",
            "net.ipv4.conf.all.send_redirects=0",
            "net.ipv4.conf.default.send_redirects=0",
            "net.ipv4.conf.all.accept_redirects=0",
            "net.ipv4.ping_group_range=0 2147483647",
        ]
        if 6 in families:
            settings += [
                "net.ipv6.conf.all.accept_dad=0",
                "net.ipv6.conf.default.accept_dad=0",
                "net.ipv6.conf.default.accept_ra=0",
                "net.ipv6.conf.default.router_solicitations=0",
            ]
        else:
            settings += ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]
        self.sysctl(*settings)
        self.ip("link set lo up")

    def sysctl(self, *settings):
        run(["ip", "netns", "exec", self.netns, "sysctl", "-q", "-w", *settings])

    def ip(self, *lines):
        """Run several `ip` command lines in this namespace, in one process."""
        run(["ip", "-n", self.netns, "-batch", "-"], input="\n".join(lines) + "\n")

    def nft(self, rules):
        run(["ip", "netns", "exec", self.netns, "nft", "-f", "-"], input=rules)

    def etc(self, file, text):
        """A file that programs of this namespace see below /etc (`ip netns exec` mounts it)."""
        folder = Path("/etc/netns") / self.netns
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)

    def start(self, arguments, **options):
        """Start a program that stays; it ends with the host."""
        log = open(self.network.folder / f"{self.name}.log", "ab")
        program = subprocess.Popen(
            ["ip", "netns", "exec", self.netns, *arguments],
            stdin=subprocess.DEVNULL, stdout=options.pop("stdout", log), stderr=options.pop("stderr", log),
            start_new_session=True, **options,
        )
        log.close()
        self.programs.append(program)
        return program

    def run(self, *arguments, fails=False, timeout=20):
        """Run a program to its end and give its output. `fails` says that it is meant to fail."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.netns, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
        )
        if (done.returncode != 0) != fails:
            raise RuntimeError(f"{self.name}: {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}")
        return done.stdout

    def stop(self):
        """End the programs, last started first, and take the namespace away."""
        for program in reversed(self.programs):
            end(program)
        self.programs.clear()
        subprocess.run(["ip", "netns", "del", self.netns], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(Path("/etc/netns") / self.netns, ignore_errors=True)
        self.network.hosts.pop(self.name, None)


def end(program):
    """End one program by its own process group: first asked, then made to."""
    if program.poll() is not None:
        return
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(program.pid, kind)
        except ProcessLookupError:
            pass
        try:
            program.wait(timeout=10)
            return
        except subprocess.TimeoutExpired:
            continue


class Network:
    """All namespaces of one recording. A context manager: whatever happens, nothing stays behind."""

    def __init__(self, families=(4,)):
        self.families = families
        self.prefix = f"npg{os.getpid()}"
        self.hosts = {}
        self.folder = None

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
        self.folder.chmod(0o755)
        try:
            self.world = Host(self, "world", self.families)
            self.forward(self.world)
            self.world.ip("link add lan type bridge mcast_snooping 0", "link set lan up")
            for family in self.families:
                self.world.ip(f"addr add {LAN[family]} dev lan" + (" nodad" if family == 6 else ""))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for host in reversed(list(self.hosts.values())):
            host.stop()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        try:
            os.rmdir("/etc/netns")
        except OSError:
            pass

    def forward(self, host):
        host.sysctl("net.ipv4.ip_forward=1", *(["net.ipv6.conf.all.forwarding=1"] if 6 in self.families else []))

    def port(self, name):
        """A name for the near end of a pod's wire: stable, and within the kernel's 15 characters."""
        return "veth" + hashlib.sha256(name.encode()).hexdigest()[:8]

    def node(self, name, addresses, pod_ranges, bridge=False):
        """A node on the LAN. With `bridge`, its pods hang on a bridge `cni0`, else each on a routed wire of its own."""
        host = Host(self, name, self.families)
        self.forward(host)
        host.addresses, host.pod_ranges, host.bridge = addresses, pod_ranges, bridge
        near = self.port(name)
        self.world.ip(f"link add {near} type veth peer name eth0 netns {host.netns}",
                      f"link set {near} master lan", f"link set {near} up")
        host.ip("link set eth0 up")
        for address in addresses:
            family = family_of(address)
            gateway, length = LAN[family].split("/")
            host.ip(f"addr add {address}/{length} dev eth0" + (" nodad" if family == 6 else ""))
            host.ip(f"route add default via {gateway}")
        if bridge:
            host.ip("link add cni0 type bridge mcast_snooping 0", "link set cni0 up")
            for network in pod_ranges:
                network = ipaddress.ip_network(network)
                host.ip(f"addr add {network[1]}/{network.prefixlen} dev cni0" + (" nodad" if network.version == 6 else ""))
        for network in pod_ranges:
            family = ipaddress.ip_network(network).version
            via = next(a for a in addresses if family_of(a) == family)
            self.world.ip(f"route add {network} via {via}")
        return host

    def join(self, first, second):
        """Routes to each other's pods over the LAN, as flannel's host-gw mode and kindnet do."""
        for here, there in ((first, second), (second, first)):
            for network in there.pod_ranges:
                family = ipaddress.ip_network(network).version
                via = next(a for a in there.addresses if family_of(a) == family)
                here.ip(f"route add {network} via {via}")

    def overlay(self, first, second, port, number):
        """Routes to each other's pods through VXLAN, as flannel and Calico make them. IPv4."""
        ends = {host: (f"02:00:5e:00:00:{host.pod_ranges[0].split('.')[2].zfill(2)}", host.pod_ranges[0].split("/")[0], host.addresses[0])
                for host in (first, second)}
        for here, there in ((first, second), (second, first)):
            hardware, inner, outer = ends[here]
            far_hardware, far_inner, far_outer = ends[there]
            here.ip(f"link add overlay type vxlan id {number} local {outer} dev eth0 dstport {port} nolearning",
                    f"link set overlay address {hardware} up",
                    f"addr add {inner}/32 dev overlay",
                    f"neigh add {far_inner} lladdr {far_hardware} dev overlay nud permanent",
                    f"route add {there.pod_ranges[0]} via {far_inner} dev overlay onlink")
            run(["bridge", "-n", here.netns, "fdb", "append", far_hardware, "dev", "overlay", "dst", far_outer])

    def pod(self, name, node, addresses):
        """A pod's namespace on a node."""
        host = Host(self, name, self.families)
        host.addresses, host.node, host.near = addresses, node, self.port(name)
        node.ip(f"link add {host.near} type veth peer name eth0 netns {host.netns}")
        if node.bridge:
            node.ip(f"link set {host.near} master cni0")
        self.wire(node, host, bridge_ranges=node.pod_ranges if node.bridge else None, source=node.addresses)
        return host

    def outside(self, name, addresses):
        """A host beyond the nodes' uplink, reached through the router."""
        host = Host(self, name, self.families)
        host.addresses, host.near = addresses, self.port(name)
        self.world.ip(f"link add {host.near} type veth peer name eth0 netns {host.netns}")
        self.wire(self.world, host)
        return host

    def wire(self, router, host, bridge_ranges=None, source=()):
        router.ip(f"link set {host.near} up")
        host.ip("link set eth0 up")
        for address in host.addresses:
            family = family_of(address)
            flag = " nodad" if family == 6 else ""
            host.ip(f"addr add {address}/{32 if family == 4 else 128} dev eth0{flag}")
            gateway = GATEWAY[family]
            if bridge_ranges:
                gateway = next(str(n[1]) for n in map(ipaddress.ip_network, bridge_ranges) if n.version == family)
            else:
                length = 32 if family == 4 else 64
                shown = run(["ip", "-n", router.netns, "addr", "show", "dev", host.near])
                if f"{gateway}/" not in shown:
                    router.ip(f"addr add {gateway}/{length} dev {host.near} scope link{flag}")
                origin = next((a for a in source if family_of(a) == family), None)
                router.ip(f"route add {address} dev {host.near}" + (f" src {origin}" if origin else ""))
            host.ip(f"route add {gateway} dev eth0", f"route add default via {gateway} dev eth0")
