"""Asking the API server, over a socket made inside a network namespace.

In: method, path, object. Out: the answer as plain dictionaries. A refusal is an `ApiError` with the HTTP status; an API server that is
not there is a `ConnectionError`, so that a loop can try again and a scenario can say what it waited for.
"""

import contextlib
import ctypes
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from keys import Keys

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
Object = dict[str, Any]


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


def setns(descriptor: int) -> None:
    if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(netns: str) -> Iterator[None]:
    """In the namespace while the body runs. Only the calling thread goes there, and it comes back; sockets made there stay."""
    home, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        setns(there)
        try:
            yield
        finally:
            setns(home)
    finally:
        os.close(home)
        os.close(there)


class Connection(http.client.HTTPSConnection):
    def __init__(self, netns: str, address: tuple[str, int], context: ssl.SSLContext) -> None:
        super().__init__(*address, timeout=5, context=context)
        self.netns, self.address, self.tls = netns, address, context

    def connect(self) -> None:
        with inside(self.netns):
            plain = socket.create_connection(self.address, timeout=5)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)


class Api:
    """The API server as the administrator sees it from one namespace."""

    def __init__(self, netns: str, keys: Keys) -> None:
        host, port = keys.server.removeprefix("https://").split(":")
        self.netns, self.address = netns, (host, int(port))
        self.context = ssl.create_default_context(cafile=str(keys.path("ca.crt")))
        self.context.load_cert_chain(keys.path("admin.crt"), keys.path("admin.key"))

    def ask(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> Object:
        connection = Connection(self.netns, self.address, self.context)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionError(f"{method} {path}: {error}") from error
        finally:
            connection.close()
        if answer.status >= 500 or answer.status == 429:  # starting, stopping, busy
            raise ConnectionError(f"{method} {path}: {answer.status}")
        if answer.status >= 400:
            raise ApiError(answer.status, f"{method} {path}: {text.decode(errors='replace')}")
        return json.loads(text) if text.startswith(b"{") else {"text": text.decode()}

    def items(self, path: str) -> list[Object]:
        return self.ask("GET", path)["items"]

    def patch(self, path: str, change: Object) -> Object:
        return self.ask("PATCH", path, change, "application/merge-patch+json")
