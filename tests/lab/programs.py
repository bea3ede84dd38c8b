"""The programs that run in pods: a real web server, name server, database, and their callers.

Each function starts one program on a host and returns when it listens. Whether it listens is asked of the kernel, not of the
network, so that no capture holds the question.
"""

import shutil
import sys
import time
from pathlib import Path

from topology import run

APPS = Path(__file__).parent / "apps"
ACCOUNT = "nobody"  # what the database runs as: it refuses to be root, and its packaged account may not be there


def wait(host, port, protocol="tcp", seconds=15):
    """Until something on the host listens on the port."""
    option = {"tcp": "-Hltn", "udp": "-Hlun"}[protocol]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if run(["ip", "netns", "exec", host.netns, "ss", option, f"sport = :{port}"]).strip():
            return
        time.sleep(0.05)
    log = host.network.folder / f"{host.name}.log"
    raise RuntimeError(f"{host.name}: nothing listens on {protocol} {port}\n{log.read_text(errors='replace')}")


def nginx(host, port, answer, upstream=None):
    """A web server. With `upstream` it passes requests below /api on to that address."""
    folder = host.network.folder / f"{host.name}-nginx-{port}"
    folder.mkdir()
    listen = f"listen {port};" + (f" listen [::]:{port};" if 6 in host.network.families else "")
    passed = f"location /api {{ proxy_pass http://{upstream}; proxy_http_version 1.1; }}" if upstream else ""
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; server_tokens off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ {listen} {passed} location / {{ default_type text/plain; return 200 "{answer}\\n"; }} }}
}}
""")
    host.start(["nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"])
    wait(host, port)


def dnsmasq(host, names, listen=None, upstream=None, zone="cluster.local"):
    """A name server: `names` maps a name to its addresses. What is below the zone and not known is answered NXDOMAIN."""
    file = host.network.folder / f"{host.name}-dnsmasq.conf"
    lines = ["keep-in-foreground", "no-resolv", "no-hosts", "no-daemon", "log-facility=-", "cache-size=100", "local-ttl=30",
             "pid-file", "user=root", "group=root", "bind-interfaces", "no-dhcp-interface=*"]
    lines += [f"listen-address={a}" for a in (listen or [*host.addresses, "127.0.0.1"])]
    if upstream:
        lines.append(f"server={upstream}")
    else:
        lines.append(f"local=/{zone}/")
    for name, addresses in names.items():
        if not name.endswith(zone):
            lines.append(f"local=/{name}/")
        if isinstance(addresses, str):
            lines.append(f"cname={name},{addresses}")
        else:
            lines += [f"host-record={name},{address}" for address in addresses]
    file.write_text("\n".join(lines) + "\n")
    host.start(["dnsmasq", f"--conf-file={file}"])
    wait(host, 53, "udp")


def database(host, port=3306):
    """A MariaDB server with one table. The empty data folder is made once and copied for each server; a pod of the same name that
    comes again finds its own folder, as a StatefulSet's pod finds its volume."""
    network = host.network
    empty = network.folder / "mariadb-empty"
    if not empty.exists():
        run(["mariadb-install-db", "--no-defaults", f"--user={ACCOUNT}", f"--datadir={empty}", "--auth-root-authentication-method=normal",
             "--skip-test-db", "--innodb-log-file-size=4M"])
    folder = network.folder / f"{host.name}-mariadb"
    filled = folder.exists()
    if not filled:
        shutil.copytree(empty, folder)
        for path in [folder, *folder.rglob("*")]:
            shutil.chown(path, ACCOUNT)
    socket = folder / "socket"
    bind = "*" if 6 in network.families else "0.0.0.0"
    host.start(["mariadbd", "--no-defaults", f"--user={ACCOUNT}", f"--datadir={folder}", f"--socket={socket}", f"--bind-address={bind}",
                f"--port={port}", "--skip-name-resolve", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M",
                "--key-buffer-size=1M", "--performance-schema=off", f"--pid-file={folder}/pid"])
    wait(host, port)
    if filled:
        return
    host.run("mariadb", "--no-defaults", f"--socket={socket}", "-u", "root", "-e",
             "create database shop; create table shop.item (id int, name varchar(20)); insert into shop.item values (1,'pen'),(2,'ink');"
             "create user 'shop'@'%' identified by 'pen'; grant all on shop.* to 'shop'@'%';")


def query(host, server, port=3306, sql="select name from shop.item", **more):
    """One database session, from greeting to goodbye."""
    return host.run("mariadb", "--no-defaults", "-h", server, "-P", str(port), "-u", "shop", "-ppen", "--connect-timeout=2", "-N",
                    "-e", sql, **more)


def api(host, port, server=None):
    """The program of the middle tier: answers HTTP, and asks the database for each answer when there is one."""
    host.start([sys.executable, str(APPS / "api.py"), str(port), *([server] if server else [])])
    wait(host, port)


def tls(host, port):
    """A TLS web server with a certificate of its own, as the API server is one."""
    folder = host.network.folder
    key, certificate = folder / f"{host.name}.key", folder / f"{host.name}.crt"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key),
         "-out", str(certificate), "-days", "30", "-subj", "/CN=kube-apiserver"])
    host.start([sys.executable, str(APPS / "api.py"), str(port), "--tls", str(certificate), str(key)])
    wait(host, port)


def fetch(host, url, *more, **options):
    """One HTTP request by curl. Short time-outs, so that an unanswered one costs little."""
    return host.run("curl", "-sSf", "-o", "/dev/null", "-w", "%{http_code}", "--connect-timeout", "2.5", "-m", "6", *more, url,
                    **options)

