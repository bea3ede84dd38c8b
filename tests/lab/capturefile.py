"""Capture files in the classic pcap format: read whole, written whole, merged by time.

Only what the lab itself makes is understood: little-endian files with microseconds or nanoseconds.
"""

import struct
from dataclasses import dataclass

MAGIC = {0xA1B2C3D4: 1_000, 0xA1B23C4D: 1}
ETHERNET = 1


@dataclass(frozen=True)
class Frame:
    at: int  # nanoseconds since 1970
    data: bytes


def read(path):
    """The frames of a file and its link type."""
    raw = path.read_bytes()
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", raw)
    unit = MAGIC[magic]
    frames, offset = [], 24
    while offset < len(raw):
        seconds, part, kept, _ = struct.unpack_from("<IIII", raw, offset)
        frames.append(Frame(seconds * 10**9 + part * unit, raw[offset + 16:offset + 16 + kept]))
        offset += 16 + kept
    return frames, link


def write(path, frames, link=ETHERNET, nanoseconds=False):
    unit = 1 if nanoseconds else 1_000
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    out = [struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for frame in sorted(frames, key=lambda frame: frame.at):
        out.append(struct.pack("<IIII", frame.at // 10**9, frame.at % 10**9 // unit, len(frame.data), len(frame.data)))
        out.append(frame.data)
    path.write_bytes(b"".join(out))


def merge(target, sources, nanoseconds=False):
    """One file out of several that were recorded at the same time on different wires."""
    frames, links = [], set()
    for source in sources:
        some, link = read(source)
        frames += some
        links.add(link)
    (link,) = links
    write(target, frames, link, nanoseconds)
