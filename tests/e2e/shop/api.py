"""The middle tier: HTTP on one port, and one question to the database for each answer. api.py PORT DATABASE"""

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, DATABASE = int(sys.argv[1]), sys.argv[2]


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with socket.create_connection((DATABASE, 6379), timeout=2) as database:
            database.sendall(b"INCR orders\r\n")
            body = database.recv(64)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Listener(ThreadingHTTPServer):
    def server_bind(self) -> None:
        """Without the name look-up that HTTPServer makes here."""
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "api", PORT


Listener(("0.0.0.0", PORT), Answer).serve_forever()
