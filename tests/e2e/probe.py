"""Open connections anew from inside one namespace and say what came of each. Run there by `matrix.py`.

In, on standard input: a JSON list of [protocol, address, port]. Out: a JSON list of outcomes in the same order: `open` (answered),
`refused` (who was asked said no, so the packet arrived), `rejected` (someone on the way said no, by ICMP), `silent` (nothing came back in
time). A connection that is refused and one that is rejected fail with the same error; so ICMP is listened to, and who sent it told apart.
UDP is asked a DNS question, as UDP without a question tells nothing.
"""

import asyncio
import ipaddress
import itertools
import json
import socket
import sys
import time
from collections.abc import Iterator

SECONDS = 3.0
UNREACHABLE, REJECTIONS = 3, {3, 9, 10, 13}  # ICMP type; codes: port unreachable, administratively prohibited
PROTOCOLS = {socket.IPPROTO_TCP: "TCP", socket.IPPROTO_UDP: "UDP"}
Target = tuple[str, str, int]
QUESTION = bytes.fromhex("1234010000010000000000000a6b756265726e657465730764656661756c740373766307636c7573746572056c6f63616c0000010001")


class Asking(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.sendto(QUESTION)  # type: ignore[attr-defined]

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.outcome.done():
            self.outcome.set_result("open")

    def error_received(self, exc: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_result("refused")


async def tcp(address: str, port: int) -> str:
    _, writer = await asyncio.open_connection(address, port)
    writer.close()
    return "open"


def fresh_ports() -> Iterator[int]:
    """Source ports that no probe of the last minutes had. Of two ports that asked and were answered conntrack knows for two minutes
    (`nf_conntrack_udp_timeout_stream`), and lets them go on whatever the policies say by then."""
    return itertools.count(1024 + int(time.time() * 2) % 1000 * 30)


FRESH_PORTS = fresh_ports()


async def udp(address: str, port: int) -> str:
    transport, asking = await asyncio.get_running_loop().create_datagram_endpoint(
        Asking, local_addr=("0.0.0.0", next(FRESH_PORTS)), remote_addr=(address, port))
    try:
        return await asking.outcome
    finally:
        transport.close()


async def probe(protocol: str, address: str, port: int) -> str:
    try:
        return await asyncio.wait_for((tcp if protocol == "TCP" else udp)(address, port), SECONDS)
    except TimeoutError:
        return "silent"
    except OSError:
        return "refused"


async def every(targets: list[Target]) -> list[str]:
    return await asyncio.gather(*(probe(*target) for target in targets))


def rejection(packet: bytes) -> Target | None:
    """What was asked for, if this packet is ICMP that rejects it and was not sent by who was asked (RFC 792: the error carries the IP
    header and eight bytes of what it is about)."""
    error = packet[(packet[0] & 15) * 4:]
    about = error[8:]
    if len(about) < 20 or error[0] != UNREACHABLE or error[1] not in REJECTIONS or packet[12:16] == about[16:20]:
        return None
    ports = about[(about[0] & 15) * 4:]
    return PROTOCOLS.get(about[9], ""), str(ipaddress.ip_address(about[16:20])), int.from_bytes(ports[2:4], "big")


def rejections(heard: socket.socket) -> set[Target]:
    """All that were heard of. The kernel hands ICMP to who listens before the connection that it is about fails."""
    found = set()
    while True:
        try:
            found.add(rejection(heard.recv(2048)))
        except BlockingIOError:
            return {one for one in found if one}


def main() -> None:
    targets = [(protocol, address, port) for protocol, address, port in json.load(sys.stdin)]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as heard:
        heard.setblocking(False)
        outcomes = asyncio.run(every(targets))
        rejected = rejections(heard)
    json.dump(["rejected" if outcome == "refused" and target in rejected else outcome
               for target, outcome in zip(targets, outcomes, strict=True)], sys.stdout)


main()
