"""Keys, certificates and kubeconfigs of one cluster, made on the spot and gone with its folder.

In: a folder, the address of the API server. Out: an authority, a serving certificate, a client certificate for each component by
the names the built-in RBAC roles expect, and a pair of keys for ServiceAccount tokens.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from topology import run

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
CLIENTS = {
    "admin": "/O=system:masters/CN=admin",
    "controller-manager": "/CN=system:kube-controller-manager",
    "proxy": "/CN=system:kube-proxy",
    "enforcer": "/CN=kube-router",
}
NAMES = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1"


@dataclass(frozen=True)
class Keys:
    """File names below one folder."""

    folder: Path
    server: str  # the API server's URL

    def path(self, name: str) -> Path:
        return self.folder / name

    def kubeconfig(self, name: str) -> Path:
        return self.folder / f"{name}.kubeconfig"

    def write_kubeconfig(self, name: str, user: dict[str, str]) -> Path:
        """A kubeconfig of one context. JSON is YAML."""
        authority = base64.b64encode(self.path("ca.crt").read_bytes()).decode()
        self.kubeconfig(name).write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {"server": self.server, "certificate-authority-data": authority}}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": name}}],
        }))
        return self.kubeconfig(name)


def make(folder: Path, address: str, port: int = 6443) -> Keys:
    folder.mkdir()
    keys = Keys(folder, f"https://{address}:{port}")
    run(["openssl", "req", "-x509", *CURVE, "-keyout", str(keys.path("ca.key")), "-out", str(keys.path("ca.crt")), "-days", "2",
         "-subj", "/CN=e2e", "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"])
    sign(keys, "server", "/CN=kube-apiserver", "serverAuth", f"{NAMES},IP:{address}")
    for name, subject in CLIENTS.items():
        sign(keys, name, subject, "clientAuth")
        keys.write_kubeconfig(name, {"client-certificate": str(keys.path(f"{name}.crt")), "client-key": str(keys.path(f"{name}.key"))})
    run(["openssl", "genrsa", "-out", str(keys.path("accounts.key")), "2048"])
    run(["openssl", "rsa", "-in", str(keys.path("accounts.key")), "-pubout", "-out", str(keys.path("accounts.pub"))])
    return keys


def sign(keys: Keys, name: str, subject: str, usage: str, names: str | None = None) -> None:
    """A key of its own and a certificate by the authority."""
    extensions = keys.path(f"{name}.ext")
    extensions.write_text(f"extendedKeyUsage={usage}\n" + (f"subjectAltName={names}\n" if names else ""))
    request = keys.path(f"{name}.csr")
    run(["openssl", "req", "-new", *CURVE, "-keyout", str(keys.path(f"{name}.key")), "-out", str(request), "-subj", subject])
    run(["openssl", "x509", "-req", "-in", str(request), "-CA", str(keys.path("ca.crt")), "-CAkey", str(keys.path("ca.key")),
         "-CAcreateserial", "-days", "2", "-extfile", str(extensions), "-out", str(keys.path(f"{name}.crt"))])
