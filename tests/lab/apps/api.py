"""The program of the middle tier: HTTP on one port; with a database's host name it asks that for each answer.

api.py PORT [DATABASE HOST]
api.py PORT --tls CERTIFICATE KEY
"""

import socket
import socketserver
import ssl
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    database = None

    def do_GET(self):
        text = "ok\n"
        if self.database and self.path != "/healthz":
            text = subprocess.run(
                ["mariadb", "--no-defaults", "-h", self.database, "-u", "shop", "-ppen", "--connect-timeout=2", "-N",
                 "-e", "select name from shop.item"], stdout=subprocess.PIPE, text=True, check=True).stdout
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET

    def log_message(self, *_):
        pass


class Listener(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):
        """Without the name look-up that HTTPServer makes here: it would ask the pod's resolver."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "api", self.server_address[1]

    def __init__(self, port):
        try:
            self.address_family = socket.AF_INET6
            super().__init__(("::", port), Answer)
        except OSError:
            self.address_family = socket.AF_INET
            super().__init__(("0.0.0.0", port), Answer)


def main(port, *more):
    listener = Listener(int(port))
    if more and more[0] == "--tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(more[1], more[2])
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    elif more:
        Answer.database = more[0]
    listener.serve_forever()


main(*sys.argv[1:])
