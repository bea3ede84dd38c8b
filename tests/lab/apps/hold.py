"""hold.py ADDRESS PORT: one connection that is opened once and kept, with a word and its echo every 0.4 seconds."""

import socket
import sys
import time

with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    while True:
        connection.sendall(b"still here\n")
        connection.recv(100)
        time.sleep(0.4)
