"""Open connections anew from inside one namespace and say what came of each. Run there by `matrix.py`.

In, on standard input: a JSON list of [protocol, address, port]. Out: a JSON list of outcomes in the same order: `open` (answered),
`refused` (something said no, so the packet arrived), `silent` (nothing came back in time).
UDP is asked a DNS question, as UDP without a question tells nothing.
"""

import asyncio
import json
import sys

SECONDS = 3.0
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


async def udp(address: str, port: int) -> str:
    transport, asking = await asyncio.get_running_loop().create_datagram_endpoint(Asking, remote_addr=(address, port))
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


async def every(targets: list[tuple[str, str, int]]) -> list[str]:
    return await asyncio.gather(*(probe(*target) for target in targets))


json.dump(asyncio.run(every(json.load(sys.stdin))), sys.stdout)
