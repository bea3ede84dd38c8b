"""Frames that this kernel cannot send, built byte by byte: SCTP, and other envelopes around recorded overlay traffic.

In: addresses, chunks, recorded frames. Out: Ethernet frames with valid checksums (IPv4 header, CRC32c of SCTP). Nothing is sent.
"""

import ipaddress
import struct

from capturefile import Frame

ETHERTYPE = {4: 0x0800, 6: 0x86DD}
VXLAN, GENEVE = 4789, 6081


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def crc32c(data):
    """Castagnoli's CRC, as SCTP has it (RFC 9260, appendix A)."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def ip(source, destination, protocol, payload, identification=0):
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if source.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 63) + source.packed + destination.packed + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), identification, 0x4000, 63, protocol, 0)
    head += source.packed + destination.packed
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ethernet(source, destination, payload, ethertype):
    return bytes.fromhex(destination.replace(":", "")) + bytes.fromhex(source.replace(":", "")) + struct.pack(">H", ethertype) + payload


# --- SCTP (RFC 9260) ---

def chunk(kind, flags, body):
    return struct.pack(">BBH", kind, flags, 4 + len(body)) + body + b"\0" * (-len(body) % 4)


def sctp(source_port, destination_port, tag, *chunks):
    body = b"".join(chunks)
    head = struct.pack(">HHI", source_port, destination_port, tag)
    return head + struct.pack("<I", crc32c(head + bytes(4) + body)) + body


def association(caller, called, port, called_port, begin, message, answer):
    """One whole association: INIT to SHUTDOWN COMPLETE, one message each way. `caller` and `called` are (address, hardware)."""
    tag, called_tag, first, called_first = 0x1A2B3C4D, 0x5E6F7081, 1000, 9000
    window = 106496
    cookie = bytes(range(32))

    def init(own_tag, own_first, *parameters):
        return struct.pack(">IIHHI", own_tag, window, 10, 10, own_first) + b"".join(parameters)

    def data(number, text):
        return chunk(0, 3, struct.pack(">IHHI", number, 0, 0, 0) + text)

    def sack(number):
        return chunk(3, 0, struct.pack(">IIHH", number, window, 0, 0))

    steps = [
        (True, 0, chunk(1, 0, init(tag, first))),
        (False, tag, chunk(2, 0, init(called_tag, called_first, chunk(0, 7, cookie)))),  # parameter type 7: state cookie
        (True, called_tag, chunk(10, 0, cookie)),
        (False, tag, chunk(11, 0, b"")),
        (True, called_tag, data(first, message)),
        (False, tag, sack(first)),
        (False, tag, data(called_first, answer)),
        (True, called_tag, sack(called_first)),
        (True, called_tag, chunk(7, 0, struct.pack(">I", called_first))),
        (False, tag, chunk(8, 0, b"")),
        (True, called_tag, chunk(14, 0, b"")),
    ]
    frames = []
    for number, (outwards, verification, one) in enumerate(steps):
        (source, source_hardware), (destination, hardware) = (caller, called) if outwards else (called, caller)
        ports = (port, called_port) if outwards else (called_port, port)
        packet = ip(source, destination, 132, sctp(*ports, verification, one), number + 1)
        family = 6 if ":" in source else 4
        frames.append(Frame(begin + number * 400_000, ethernet(source_hardware, hardware, packet, ETHERTYPE[family])))
    return frames


# --- other envelopes around what was recorded in VXLAN ---

def envelope(frame):
    """Outer header, outer addresses and inner frame of a recorded VXLAN frame (IPv4 outside), or None for any other frame."""
    data = frame.data
    if data[12:14] != b"\x08\x00" or data[14] != 0x45 or data[23] != 17:
        return None
    if struct.unpack_from(">H", data, 36)[0] != VXLAN:
        return None
    source, destination = (str(ipaddress.ip_address(data[n:n + 4])) for n in (26, 30))
    return data[:14], source, destination, data[34:36], data[50:]


def rewrap(frames, wrap):
    """The same recording with every VXLAN envelope replaced by wrap(inner frame, outer source port) = (IP protocol, payload)."""
    made = []
    for number, frame in enumerate(frames):
        found = envelope(frame)
        if found is None:
            made.append(frame)
            continue
        link, source, destination, port, inner = found
        protocol, payload = wrap(inner, port)
        made.append(Frame(frame.at, link + ip(source, destination, protocol, payload, number & 0xFFFF)))
    return made


def udp(source_port, port, payload):
    return source_port + struct.pack(">HHH", port, 8 + len(payload), 0) + payload  # checksum 0: none, as overlays send it


def as_vxlan_8472(inner, port):
    """Linux's old port for VXLAN, still flannel's."""
    return 17, udp(port, 8472, struct.pack(">II", 0x08 << 24, 1 << 8) + inner)


def as_geneve(inner, port):
    """RFC 8926, with one option of eight bytes (class 0x0104, not critical), so that the header is longer than its least."""
    option = struct.pack(">HBBI", 0x0104, 0x01, 1, 0x0000002A)
    return 17, udp(port, GENEVE, struct.pack(">BBHI", len(option) // 4, 0, 0x6558, 4096 << 8) + option + inner)


def as_ipip(inner, _):
    """RFC 2003: the inner packet, without its Ethernet header."""
    return 4, inner[14:]


def as_gre(inner, port):
    """RFC 2784 and 2890. Every other one, by the flow, carries a whole Ethernet frame and a key; the rest the bare packet."""
    if port[1] % 2:
        return 47, struct.pack(">HHI", 0x2000, 0x6558, 4096) + inner
    return 47, struct.pack(">HH", 0, 0x0800) + inner[14:]
