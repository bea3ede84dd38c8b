"""The same recording in other clothes: pcapng, gzip, zstd, cut in the middle of a frame."""

from topology import run


def as_pcapng(path):
    run(["editcap", "-F", "pcapng", str(path), str(path.with_suffix(".pcapng"))])


def as_gzip(path):
    run(["gzip", "-9", "-n", "-k", "-f", str(path)])


def as_zstd(path):
    run(["zstd", "-q", "-f", "-19", str(path), "-o", f"{path}.zst"])


def cut(path):
    """The first two thirds, ending in the middle of a frame's bytes."""
    raw = path.read_bytes()
    offset = 24
    while True:
        kept = int.from_bytes(raw[offset + 8:offset + 12], "little")
        if offset > len(raw) * 2 // 3 and kept > 60:
            path.with_name(f"{path.stem}-cut.pcap").write_bytes(raw[:offset + 16 + kept // 2])
            return
        offset += 16 + kept
