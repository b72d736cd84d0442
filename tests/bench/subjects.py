"""What is measured: our daemon, its peers, the floors; and the origins."""

import copy
import json
import os
import time

from lab import names, paths
from lab.daemon import BUILD, CONFIG, DAEMON

PROGRAMS = BUILD / "tests" / "bench"
FOLDER = paths.STATE / "bench"
PROXY_CORE, LOAD_CORE = "0", "1"

HOST = names.ACCT1
ORIGIN = names.ENDPOINTS[HOST]
ECHO_PORT, SOURCE_PORT, HTTP_PORT = 7001, 7002, 80
# Behind a gateway: TLS, and a token for it.
TLS_HOST, TLS_PORT = names.SEEN, 7443
TLS_ORIGIN = names.ENDPOINTS[TLS_HOST]
START_LIMIT_S = 60
TOKEN_PATH = "/metadata/identity/oauth2/token?api-version=2018-02-01"
TOKEN_PATH += f"&resource={names.STORAGE_AUDIENCE}"

# Our audit is on, so the peers write their access logs as Debian ships them.
# False (--peers-without-logs): what they cost when nobody asks what went by.
peers_log = True

MANY_FILES = ["sh", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "sh"]

NGINX = """
daemon off; master_process off; worker_processes 1;
error_log stderr crit; pid {folder}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
  {log} keepalive_requests 100000000; sendfile on;
  default_type application/json; tcp_nodelay on;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  open_file_cache max=16 inactive=600s;
  upstream origin {{ server {origin}:{http}; keepalive 128;
    keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location /token {{ root {folder}; }}
    location / {{ proxy_pass http://origin; proxy_http_version 1.1;
      proxy_set_header Connection ""; }}
  }}
  upstream tls_origin {{ server {tls_origin}:{tls}; keepalive 128;
    keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{gateway_port};
    client_max_body_size 0; proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    location / {{ proxy_pass https://tls_origin; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host {tls_host};
      proxy_set_header Authorization "Bearer {token}";
      proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca};
      proxy_ssl_server_name on; proxy_ssl_name {tls_host};
      proxy_ssl_protocols TLSv1.3; }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9000
  tune.maxrewrite 4096
  {log}
defaults
  log global
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen echo
  mode tcp
  option tcplog
  bind 127.0.0.1:{port}
  server s {origin}:{echo}
listen source
  mode tcp
  option tcplog
  bind 127.0.0.1:{source_port}
  server s {origin}:{source}
listen web
  mode http
  option httplog
  http-reuse always
  bind 127.0.0.1:{web_port}
  server s {origin}:{http}
listen gateway
  mode http
  option httplog
  http-reuse always
  bind 127.0.0.1:{gateway_port}
  http-request set-header Host {tls_host}
  http-request set-header Authorization "Bearer {token}"
  server s {tls_origin}:{tls} ssl ssl-min-ver TLSv1.3 verify required \
ca-file {ca} verifyhost {tls_host} sni str({tls_host})
"""

SQUID = """
http_port 127.0.0.1:{port}
http_access allow all
cache deny all
cache_mem 8 MB
{log}
cache_log /dev/null
cache_store_log none
pid_filename none
pinger_enable off
coredump_dir {folder}
dns_nameservers {dns}
max_filedescriptors 16384
shutdown_lifetime 0 seconds
"""

TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 600
MaxClients 5000
{log}
Allow 127.0.0.1
ConnectPort {echo}
ConnectPort {source}
"""


GATEWAY_OFFSET = 3


def gateway_at(port):
    at = f"127.0.0.1:{port}"
    return [f"proxy={at}", f"host={at}", "target=/some/path"]


class Subject:
    """One process to measure; `port` is where it serves."""

    user = "root"
    # The lines of its file that have it write its access log, or not.
    logs = quiet = ""
    # Whether its tunnels begin with CONNECT; else it is a plain TCP proxy.
    connects = True

    def __init__(self, lab, name, port):
        self.lab = lab
        self.name = name
        self.port = port
        self.pid = None
        self.folder = FOLDER / name

    def prepare(self):
        """Write the files it needs."""

    def argv(self):
        raise NotImplementedError

    def file(self, name, text):
        """A file in its folder; written from outside, as it may be big."""
        make = ["install", "-d", "-o", str(os.getuid()), self.folder]
        self.lab.run_as("root", make)
        outside = self.lab.folder / "bench" / self.name
        # What stands there already is root's.
        (outside / f"{name}.new").write_text(text)
        (outside / f"{name}.new").rename(outside / name)
        own = ["chown", "root:root", self.folder, self.folder / name]
        self.lab.run_as("root", own)
        return self.folder / name

    def words(self, **more):
        words = {
            "folder": self.folder,
            "origin": ORIGIN,
            "echo": ECHO_PORT,
            "source": SOURCE_PORT,
            "http": HTTP_PORT,
            "port": self.port,
            "gateway_port": self.port + GATEWAY_OFFSET,
            "dns": names.DNS,
            "tls_host": TLS_HOST,
            "tls_origin": TLS_ORIGIN,
            "tls": TLS_PORT,
            "ca": paths.CA_FILE,
            "token": "x" * 1434,
            "log": (self.logs if peers_log else self.quiet).format(
                folder=self.folder
            ),
        }
        return {**words, **more}

    def command(self):
        (self.lab.folder / "bench" / self.name).mkdir(
            parents=True, exist_ok=True
        )
        self.prepare()
        return [str(a) for a in self.argv()]

    def start(self):
        argv = ["taskset", "-c", PROXY_CORE, *MANY_FILES]
        self.pid = self.lab.start_as(
            self.user,
            argv + self.command(),
            log=f"bench-{self.name}.log",
            unit=f"system.slice/{self.name}.service",
        )
        self.wait()

    def wait(self):
        """Until something listens."""
        end = time.monotonic() + START_LIMIT_S
        code = "import socket,sys; socket.create_connection(('127.0.0.1',{}))"
        while time.monotonic() < end:
            done = self.lab.run_as(
                "root", [paths.PYTHON, "-c", code.format(self.port)]
            )
            if done.code == 0:
                return
            if self.lab.call("wait", pid=self.pid, timeout_s=0.02) is not None:
                break
        raise RuntimeError(f"{self.name} does not serve: {self.log()}")

    def log(self):
        log = self.lab.folder / f"bench-{self.name}.log"
        return log.read_text(errors="replace")[-2000:]

    def stop(self):
        self.lab.call("signal", pid=self.pid, number=15)
        if self.lab.call("wait", pid=self.pid, timeout_s=5) is None:
            self.lab.call("signal", pid=self.pid, number=9)
            self.lab.call("wait", pid=self.pid, timeout_s=5)

    def way_in(self, kind):
        """The options of the load for an `echo`, `source` or `web` origin."""
        if kind == "web":
            return [
                f"proxy=127.0.0.1:{self.port}",
                f"host={HOST}",
                f"target=http://{HOST}/some/path",
            ]
        if kind == "gateway":
            return gateway_at(self.port + GATEWAY_OFFSET)
        port = ECHO_PORT if kind == "echo" else SOURCE_PORT
        return [f"proxy=127.0.0.1:{self.port}", f"host={HOST}:{port}"]


class Floor(Subject):
    def __init__(self, lab, name, port, program, mode):
        super().__init__(lab, name, port)
        self.program = program
        self.mode = mode

    def argv(self):
        return [
            PROGRAMS / self.program,
            f"mode={self.mode}",
            f"listen=127.0.0.1:{self.port}",
            f"target={ORIGIN}:{HTTP_PORT}",
        ]


class Haproxy(Subject):
    connects = False
    logs = "log stdout format raw local0"

    def prepare(self):
        more = {"source_port": self.port + 1, "web_port": self.port + 2}
        self.file("haproxy.cfg", HAPROXY.format(**self.words(**more)))

    def argv(self):
        return ["haproxy", "-db", "-f", self.folder / "haproxy.cfg"]

    def way_in(self, kind):
        if kind == "gateway":
            return super().way_in(kind)
        offset = {"echo": 0, "source": 1, "web": 2}[kind]
        options = [f"proxy=127.0.0.1:{self.port + offset}"]
        if kind == "web":
            options += [f"host={HOST}", "target=/some/path"]
        return options


class Nginx(Subject):
    logs = "access_log {folder}/access.log;"
    quiet = "access_log off;"

    def prepare(self):
        self.file("nginx.conf", NGINX.format(**self.words()))
        self.file("token", "x" * 1434)

    def argv(self):
        return ["nginx", "-c", self.folder / "nginx.conf"]

    def way_in(self, kind):
        if kind == "gateway":
            return super().way_in(kind)
        target = {"web": "/some/path", "token": "/token"}[kind]
        return [
            f"proxy=127.0.0.1:{self.port}",
            f"host={HOST}",
            f"target={target}",
        ]


class Squid(Subject):
    logs = "access_log daemon:{folder}/access.log squid"
    quiet = "access_log none"

    def prepare(self):
        self.file("squid.conf", SQUID.format(**self.words()))
        # It writes as a user of its own.
        self.lab.run_as("root", ["chown", "proxy:proxy", self.folder])

    def argv(self):
        return ["squid", "-N", "-f", self.folder / "squid.conf"]


class Tinyproxy(Subject):
    logs = 'LogFile "{folder}/access.log"\nLogLevel Info'
    quiet = "LogLevel Critical"

    def prepare(self):
        self.file("tinyproxy.conf", TINYPROXY.format(**self.words()))

    def argv(self):
        return ["tinyproxy", "-d", "-c", self.folder / "tinyproxy.conf"]


def rule_text(i):
    """The rules of the bench's policies: as in decide.c."""
    host = f"a{i}.blob.core.windows.net"
    if i % 8 == 6:
        host = f"*.ws{i}.api.azureml.ms"
    elif i % 8 == 7:
        host = f"h{i}.corp.example"
    return f'{{"id":"{i:x}","effect":"allow","hosts":["{host}"]}}'


def policy_text(rules, more=""):
    """@rules that lead nowhere, and the one that the bench uses."""
    yield '{"version":1,"endpoints":["10.20.0.0/16"],'
    yield '"workloads":{"alice":{"users":["alice"]}},"tokens":[{"id":"t",'
    yield f'"workloads":["alice"],"audiences":["{names.STORAGE_AUDIENCE}"],'
    yield '"identities":["host"]}],"rules":[\n'
    for i in range(rules - 1):
        yield rule_text(i) + ",\n"
    yield '{"id":"bench","effect":"allow",'
    yield f'"ports":[{ECHO_PORT},{SOURCE_PORT},{HTTP_PORT}],'
    yield f'"hosts":["{HOST}"]}}{more}]}}\n'


class Wayleave(Subject):
    """The daemon as it ships: audit, look-up of clients, one worker."""

    user = "wayleave"
    more_rules = ""

    def __init__(self, lab, name, port, rules):
        super().__init__(lab, name, port)
        self.rules = rules

    def more(self):
        """Keys of its configuration beside those of every subject."""
        return {}

    def prepare(self):
        for part in ("state", "run", "log"):
            self.lab.run_as(
                "root",
                ["install", "-d", "-o", "wayleave", self.folder / part],
            )
        config = copy.deepcopy(CONFIG)
        config["listen"] = {
            "proxy": [f"127.0.0.1:{self.port}"],
            "broker": [f"127.0.0.1:{self.port + 1}"],
            "control": str(self.folder / "run" / "control.sock"),
        }
        config["workers"] = 1
        config["state_dir"] = str(self.folder / "state")
        config["runtime_dir"] = str(self.folder / "run")
        config["audit"] = {"file": str(self.folder / "log" / "audit.jsonl")}
        config["limits"] = {"connections_per_uid": 16384}
        config["log"] = {"level": "warning"}
        config.update(self.more())
        self.file("wayleave.json", json.dumps(config, indent=1))
        text = policy_text(self.rules, self.more_rules)
        self.file("policy.json", "".join(text))

    def argv(self):
        return [DAEMON, "-c", self.folder / "wayleave.json"]

    def way_in(self, kind):
        if kind != "token":
            return super().way_in(kind)
        return [
            f"proxy=127.0.0.1:{self.port + 1}",
            f"host=127.0.0.1:{self.port + 1}",
            "header=Metadata: true",
            f"target={TOKEN_PATH}",
        ]


class Injecting(Wayleave):
    """The same with a gateway whose rule adds a token."""

    more_rules = "," + json.dumps(
        {
            "id": "injects",
            "effect": "allow",
            "hosts": [TLS_HOST],
            "ports": [TLS_PORT],
            "inject": {"identity": "host", "audience": names.SEEN_AUDIENCE},
        }
    )

    def more(self):
        entry = {
            "name": "bench",
            "listen": f"127.0.0.1:{self.port + GATEWAY_OFFSET}",
            "upstream": f"https://{TLS_HOST}:{TLS_PORT}",
        }
        return {"gateways": [entry]}

    def way_in(self, kind):
        if kind != "inspected":
            return super().way_in(kind)
        return [
            f"proxy=127.0.0.1:{self.port}",
            f"host={TLS_HOST}:{TLS_PORT}",
            f"ca={self.folder / 'run' / 'ca.pem'}",
        ]


# Full handshakes for @seconds; how many, and the CPU time of both ends.
S_TIME = """
import json, re, resource, subprocess, sys, time
pid, seconds, at, ca = sys.argv[1:]
clock = (~int(pid) << 3) | 2
before = time.clock_gettime(clock)
argv = ["openssl", "s_time", "-new", "-tls1_3", "-verify", "3"]
argv += ["-time", seconds, "-connect", at, "-CAfile", ca]
done = subprocess.run(argv, capture_output=True, text=True, check=True)
spent = resource.getrusage(resource.RUSAGE_CHILDREN)
server = time.clock_gettime(clock) - before
n = int(re.search(r"(\\d+) connections in", done.stdout)[1])
client = spent.ru_utime + spent.ru_stime
print(json.dumps({"ops": n, "cpu_ns": (server + client) * 1e9}))
"""


class OpenSsl(Subject):
    """OpenSSL's own server, and its own client at it."""

    def argv(self):
        argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}"]
        argv += ["-cert", paths.CERT_FILE, "-key", paths.KEY_FILE, "-www"]
        argv += ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"]
        return [*argv, "-quiet"]

    def shake(self, seconds):
        argv = ["taskset", "-c", LOAD_CORE, paths.PYTHON, "-c", S_TIME]
        argv += [self.pid, seconds, f"127.0.0.1:{self.port}", paths.CA_FILE]
        done = self.lab.run_as("root", argv, timeout_s=60)
        if done.code != 0:
            raise RuntimeError(f"s_time: {done}\n{self.log()}")
        return json.loads(done.out)


class Origins:
    """The other ends, on the load's core."""

    def __init__(self, lab):
        self.lab = lab
        self.pids = []

    def start(self):
        for mode, port in (
            ("echo", ECHO_PORT),
            ("source", SOURCE_PORT),
            ("http", HTTP_PORT),
        ):
            argv = ["taskset", "-c", LOAD_CORE]
            # The echo answers pings beside bulk: its own turn must not show.
            argv += ["chrt", "-f", "10"] if mode == "echo" else []
            argv += [*MANY_FILES, PROGRAMS / "origin"]
            argv += [f"mode={mode}", f"listen={ORIGIN}:{port}"]
            pid = self.lab.start_as("root", argv, log=f"bench-{mode}.log")
            self.pids.append(pid)
        argv = ["taskset", "-c", LOAD_CORE, PROGRAMS / "origin_tls"]
        argv += [f"cert={paths.CERT_FILE}", f"key={paths.KEY_FILE}"]
        argv += [f"listen={TLS_ORIGIN}:{TLS_PORT}"]
        pid = self.lab.start_as("root", argv, log="bench-tls.log")
        self.pids.append(pid)

    def stop(self):
        for pid in self.pids:
            self.lab.call("signal", pid=pid, number=9)
