"""send.py ADDRESS PORT TEXT TIMES: datagrams from one unconnected socket, a fifth of a second apart, with no answer awaited."""

import socket
import sys
import time

address, port, text, times = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for _ in range(int(times)):
        sender.sendto(text.encode(), (address, int(port)))
        time.sleep(0.2)
