"""What a kubelet answers when the API server asks it for a container's log, so that `kubectl logs` and `kubectl run --attach` show one.

In: the folder with the logs; the node's address. Out: a listener there, until it is stopped. Nothing else is answered: with `attach`,
kubectl falls back to the log.
"""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

from api import inside
from keys import Keys

PORT = 10250


class Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, netns: str, address: str, keys: Keys, folder: Path) -> None:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, *names = urlparse(self.path).path.strip("/").split("/")
                log = folder / f"{'-'.join(names)}.log"
                is_there = kind == "containerLogs" and len(names) == 3 and log.is_file()
                self.send_response(200 if is_there else 404)
                self.end_headers()
                if is_there:
                    self.wfile.write(log.read_bytes())

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        with inside(netns):
            super().__init__((address, PORT), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(keys.path("server.crt"), keys.path("server.key"))
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, name="logs", daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
