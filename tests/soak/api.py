"""A small API server for the soak: lists, watches, and what goes wrong with them, on loopback without TLS."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]
# Events that are kept for watches; who asks for older ones gets 410 Gone.
KEPT = 20_000
# The kinds that are served, by the last part of their path.
KINDS = {
    "namespaces": "Namespace", "nodes": "Node", "pods": "Pod", "services": "Service", "endpointslices": "EndpointSlice",
    "replicationcontrollers": "ReplicationController", "deployments": "Deployment", "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "jobs": "Job", "cronjobs": "CronJob", "ingresses": "Ingress",
    "networkpolicies": "NetworkPolicy",
}
STATUS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}


class Store:
    """Objects by path of the API and name, and the events since the oldest that is kept."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.revision = 1000
        self.oldest = 1000
        self.objects: dict[str, dict[tuple[str, str], Object]] = {}
        self.events: list[tuple[int, str, Object]] = []
        self.is_down = False
        # Watches that began before the last cut end.
        self.cuts = 0
        self.lists = self.watches = self.gone = 0

    def apply(self, path: str, item: Object) -> None:
        with self.changed:
            self.revision += 1
            name = (item["metadata"].get("namespace", ""), item["metadata"]["name"])
            known = self.objects.setdefault(path, {})
            kind = "MODIFIED" if name in known else "ADDED"
            item["metadata"]["resourceVersion"] = str(self.revision)
            known[name] = item
            self._tell(path, kind, item)

    def delete(self, path: str, namespace: str, name: str) -> None:
        with self.changed:
            self.revision += 1
            item = self.objects[path].pop((namespace, name))
            item["metadata"]["resourceVersion"] = str(self.revision)
            self._tell(path, "DELETED", item)

    def _tell(self, path: str, kind: str, item: Object) -> None:
        # Events, unlike items of lists, say what they are.
        version, _, plural = path.removeprefix("/apis/").removeprefix("/api/").rpartition("/")
        item = {"kind": KINDS[plural], "apiVersion": version, **json.loads(json.dumps(item))}
        self.events.append((self.revision, path, {"type": kind, "object": item}))
        if len(self.events) > 2 * KEPT:
            del self.events[:KEPT]
            self.oldest = self.events[0][0]
        self.changed.notify_all()

    def cut(self) -> None:
        """Ends every watch."""
        with self.changed:
            self.cuts += 1
            self.changed.notify_all()

    def compact(self) -> None:
        """Forgets all events: a watch that goes on where it was gets 410 Gone."""
        with self.changed:
            self.events.clear()
            self.revision += 1
            self.oldest = self.revision
            self.cuts += 1
            self.changed.notify_all()

    def set_down(self, is_down: bool) -> None:
        with self.changed:
            self.is_down = is_down
            self.cuts += 1
            self.changed.notify_all()


def serve(store: Store) -> str:
    """Starts the server; returns its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            if store.is_down:
                self.close_connection = True
                return
            kind = KINDS.get(parts.path.rpartition("/")[2])
            if kind is None:
                self.answer(404, "404 page not found")
            elif query.get("watch") in ("1", "true"):
                self.watch(parts.path, int(query.get("resourceVersion") or 0), float(query.get("timeoutSeconds") or 290))
            else:
                with store.changed:
                    store.lists += 1
                    items = list(store.objects.get(parts.path, {}).values())
                    body = json.dumps({"kind": f"{kind}List", "apiVersion": "v1", "metadata": {"resourceVersion": str(store.revision)}, "items": items})
                self.answer(200, body)

        def answer(self, status: int, body: str) -> None:
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def watch(self, path: str, revision: int, seconds: float) -> None:
            with store.changed:
                store.watches += 1
                is_gone = revision < store.oldest
                store.gone += is_gone
                cuts = store.cuts
            if is_gone:
                return self.answer(410, json.dumps({**STATUS, "reason": "Expired", "message": "too old resource version", "code": 410}))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.close_connection = True
            end = time.monotonic() + seconds
            try:
                while time.monotonic() < end:
                    with store.changed:
                        if store.cuts != cuts:
                            return
                        new = [event for number, where, event in self.since(revision) if where == path]
                        revision = max(revision, store.revision)
                        if not new:
                            store.changed.wait(min(5.0, end - time.monotonic()))
                            continue
                    self.chunk("".join(json.dumps(event) + "\n" for event in new))
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                pass

        def since(self, revision: int) -> list[tuple[int, str, Object]]:
            # Numbers rise by one, so the place is known.
            if not store.events:
                return []
            return store.events[max(0, revision + 1 - store.events[0][0]):]

        def chunk(self, text: str) -> None:
            data = text.encode()
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
