"""The same recordings in other clothes: pcapng, gzip, zstd, cut in the middle; an inventory as JSON.

Made from the files that the other scenarios wrote, so it comes last.
"""

from topology import run


def formats(folder):
    run(["editcap", "-F", "pcapng", str(folder / "shop.pcap"), str(folder / "shop.pcapng")])
    (folder / "lab.pcap.gz").unlink(missing_ok=True)
    run(["gzip", "-9", "-n", "-k", str(folder / "lab.pcap")])
    run(["zstd", "-q", "-f", "-19", str(folder / "cronjob.pcap"), "-o", str(folder / "cronjob.pcap.zst")])
    cut(folder / "shop.pcap", folder / "shop-cut.pcap")


def cut(whole, target):
    """The first two thirds, ending in the middle of a frame's bytes."""
    raw = whole.read_bytes()
    offset = 24
    while True:
        kept = int.from_bytes(raw[offset + 8:offset + 12], "little")
        if offset > len(raw) * 2 // 3 and kept > 60:
            target.write_bytes(raw[:offset + 16 + kept // 2])
            return
        offset += 16 + kept


RECORDINGS = {"formats": formats}
