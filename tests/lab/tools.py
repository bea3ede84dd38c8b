"""The programs the lab needs, and the Debian packages that hold them."""

import shutil

PACKAGES = {
    "bridge": "iproute2", "curl": "curl", "dig": "bind9-dnsutils", "dnsmasq": "dnsmasq-base", "editcap": "wireshark-common",
    "getent": "libc-bin", "gzip": "gzip", "ip": "iproute2", "mariadb": "mariadb-client", "mariadb-install-db": "mariadb-server-core",
    "mariadbd": "mariadb-server-core", "ncat": "ncat", "nft": "nftables", "nginx": "nginx-light", "openssl": "openssl",
    "ping": "iputils-ping", "ss": "iproute2", "sysctl": "procps", "tcpdump": "tcpdump", "zstd": "zstd",
}


def missing(packages=PACKAGES):
    """The packages that have to be installed first."""
    places = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return sorted({package for program, package in packages.items() if not shutil.which(program, path=places)})
