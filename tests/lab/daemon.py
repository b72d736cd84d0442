"""The built wayleaved in the lab: its files, its life, its clients."""

import copy
import json
import os
import re
import signal
import time

from . import names, paths, services, zones
from .driver import LabError

ETC = paths.INSIDE / "etc" / "wayleave"
PROXY_SOCKET = "/run/wayleave/proxy.sock"
BROKER_SOCKET = "/run/wayleave/broker.sock"
AUDIT = "/var/log/wayleave/audit.jsonl"
BUILD = paths.SRC / os.environ.get("WAYLEAVE_BUILD", "build")
DAEMON = BUILD / "wayleaved"
CLI = BUILD / "wayleave"
# What clients read; where tunnels are inspected `wayleave env` names them.
CA_VARIABLES = (
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)

CONFIG = {
    "version": 1,
    "name": "wayleave",
    "listen": {
        "proxy": ["127.0.0.1:3180", f"unix:{PROXY_SOCKET}"],
        "broker": ["127.0.0.1:3181", f"unix:{BROKER_SOCKET}"],
        "admin": ["127.0.0.1:3182"],
        "control": "/run/wayleave/control.sock",
    },
    "policy_file": "policy.json",
    "state_dir": "/var/lib/wayleave",
    "cgroup_root": str(paths.CGROUP),
    "dns": {"servers": [names.DNS], "timeout_ms": 400, "attempts": 2},
    "tls": {"ca_file": str(paths.CA_FILE)},
    "identities": [
        {"name": "host", "source": "imds"},
        *(
            {
                "name": n,
                "source": "imds",
                "client_id": names.IDENTITIES[n]["client_id"],
            }
            for n in ("alice", "bob")
        ),
        *(
            {
                "name": f"alice-{kind}",
                "source": "imds",
                kind: names.IDENTITIES["alice"][kind],
            }
            for kind in ("object_id", "mi_res_id")
        ),
    ],
    "audit": {"file": AUDIT},
    "log": {"level": "info"},
}


# Audiences that no other test asks for: nothing is cached for them.
FRESH = ["https://life.lab.example"]
FRESH += [f"https://broker-{n}.lab.example" for n in ("wait", "herd")]
IMDS_FAULTS = [
    *("400", "401", "404", "410", "429", "429-later", "500", "502", "503"),
    *("504", "hang", "reset", "slow", "garbage", "empty", "truncated"),
    *("no_token", "expired", "big", "stale", "same"),
]
FRESH += [f"https://imds-{f}.lab.example" for f in IMDS_FAULTS]
FRESH += [
    f"https://fault-{f}.lab.example"
    for f in (
        *("400", "429", "500", "hang", "garbage"),
        *("expired", "truncated", "no_token"),
    )
]


def _exact(*hosts):
    return {"effect": "allow", "hosts": list(hosts)}


POLICY = {
    "version": 1,
    "mode": "enforce",
    "endpoints": ["10.20.0.0/16"],
    "workloads": {
        "alice": {"users": ["alice"]},
        "bob": {"users": ["bob"]},
        "jobs": {"units": ["job-*.service"]},
        "runner": {"units": ["actions.runner.*.service"]},
    },
    "rules": [
        {"id": "lake", **_exact(names.ACCT1, names.DFS1, names.DFS_PUBLIC)},
        {"id": "bob-lake", "workloads": ["bob"], **_exact(names.ACCT2)},
        {"id": "mlflow", **_exact(names.AZUREML)},
        {"id": "arm", **_exact(names.ARM)},
        {"id": "vault", **_exact(names.VAULT, names.VAULT_PUBLIC)},
        {"id": "score", **_exact(names.SCORE)},
        {"id": "talk", **_exact(names.SOCKETS, names.GRPC)},
        {
            "id": "databricks",
            **_exact(names.DATABRICKS, names.DATABRICKS_PUBLIC),
        },
        {
            "id": "cases",
            **_exact(
                *(h for h, _ in zones.ROUTES.values()),
                *(h for h, _ in zones.HOSTILE.values()),
                zones.REBIND,
            ),
        },
        {
            "id": "web",
            "route": "private-address",
            "ports": [80, 443],
            **_exact(zones.WEB),
        },
        {
            "id": "packages",
            "route": "private-address",
            **_exact(names.PACKAGES),
        },
        {
            "id": "echo",
            "route": "private-address",
            "ports": [services.ECHO_PORT],
            **_exact(zones.ECHO),
        },
        {
            "id": "corpora",
            "route": "private-address",
            "ports": [80, *zones.CORPORA_PORTS],
            **_exact(zones.CORPORA),
        },
        {
            "id": "jobs-web",
            "workloads": ["jobs"],
            "route": "private-address",
            **_exact(zones.PLAIN_HOSTS[1]),
        },
        {
            "id": "github",
            "workloads": ["runner"],
            "route": "public",
            "reason": "GitHub's tokens for workflows have no private endpoint",
            **_exact(names.GITHUB_OIDC),
        },
        {
            "id": "entra",
            "route": "public",
            "reason": "Entra ID has no private endpoint",
            **_exact(names.LOGIN),
        },
    ],
    "tokens": [
        {
            "id": "alice-tokens",
            "workloads": ["alice"],
            "audiences": [
                names.STORAGE_AUDIENCE,
                names.ARM_AUDIENCE,
                names.CORE_AUDIENCE,
                names.VAULT_AUDIENCE,
                names.ML_AUDIENCE,
                names.DATABRICKS_AUDIENCE,
                *FRESH,
            ],
            "identities": [
                *("alice", "host"),
                *("alice-object_id", "alice-mi_res_id"),
            ],
        },
        {
            "id": "bob-storage",
            "workloads": ["bob"],
            "audiences": [names.STORAGE_AUDIENCE],
            "identities": ["bob"],
        },
    ],
}


def policy():
    """A copy of the lab's policy, to be changed."""
    return copy.deepcopy(POLICY)


class Daemon:
    """A running wayleaved; a context manager that ends it."""

    def __init__(self, lab, config=None, rules=None):
        self.lab = lab
        self.pid = None
        self.log = "wayleaved.log"
        self.write(config or CONFIG, rules or POLICY)
        self.start()

    def write(self, config=None, rules=None):
        """Put new files in place; reload() makes them count."""
        for name, value in (("wayleave", config), ("policy", rules)):
            if value is not None:
                text = json.dumps(value, indent=2)
                self.lab.write(ETC / f"{name}.json", text)

    def start(self, limit_s=15, before=()):
        """Start it, by a command that becomes it where one is given."""
        argv = [*before, DAEMON, "-c", ETC / "wayleave.json"]
        self.pid = self.lab.start_as(
            "wayleave",
            argv,
            unit="system.slice/wayleaved.service",
            log=self.log,
        )
        wait = [CLI, "wait", "--timeout", str(limit_s)]
        result = self.lab.run_as("root", wait)
        if result.code != 0:
            code = self.lab.call("wait", pid=self.pid, timeout_s=0.1)
            raise LabError(
                f"wayleaved is not ready (exit {code}): {result}\n"
                f"{self.journal()[-4000:]}"
            )

    def journal(self):
        return self.lab.read(paths.STATE / self.log)

    def kill(self, number):
        return self.lab.call("signal", pid=self.pid, number=int(number))

    def generation(self):
        result = self.cli("status", "--json", user="root")
        found = re.search(r'"generation":\s*(\d+)', result.out)
        if not found:
            raise LabError(f"no generation in the status: {result}")
        return int(found[1])

    def reload(self, rules=None, limit_s=5):
        """Write a policy, if given, and wait until it is in force."""
        before = self.generation()
        self.write(rules=rules)
        self.kill(signal.SIGHUP)
        end = time.monotonic() + limit_s
        while self.generation() == before or self.is_writing():
            if time.monotonic() > end:
                raise LabError("the reload did not happen")
            time.sleep(0.02)

    def is_writing(self):
        """What clients read of the inspection CA is not there yet."""
        told = self.cli("status", "--json", user="root").out
        return "the inspection CA are being written" in told

    def stop(self, number=signal.SIGTERM, limit_s=40):
        """End it; returns its exit code."""
        self.kill(number)
        code = self.lab.call(
            "wait", pid=self.pid, timeout_s=limit_s, limit_s=limit_s + 10
        )
        return code

    def cli(self, *words, user="alice", **order):
        return self.lab.run_as(user, [CLI, *words], **order)

    def environment(self, user="alice", client=None, **order):
        """What `wayleave env` gives the user, and the lab's CA."""
        words = ["env", "--shell", "json"]
        if client:
            words += ["--client", client]
        result = self.cli(*words, user=user, **order)
        if result.code != 0:
            raise LabError(f"wayleave env: {result}")
        found = json.loads(result.out)
        for name in CA_VARIABLES:
            found.setdefault(name, str(paths.CA_FILE))
        return found

    def python(self, code, *args, user="alice", env=None, **order):
        """Python with the lab's clients, in the agent's environment."""
        full = {**self.environment(user), **(env or {})}
        return self.lab.python_as(user, code, *args, env=full, **order)

    def probe(self, *requests, user="alice", unit=None):
        """See probe.py: one answer for each request."""
        asked = [{"ca": str(paths.CA_FILE), **r} for r in requests]
        result = self.lab.run_as(
            user,
            [paths.PYTHON, "-m", "lab.probe"],
            unit=unit,
            env={"PYTHONPATH": str(paths.SRC / "tests")},
            stdin=json.dumps(asked),
            timeout_s=300,
        )
        if result.code != 0:
            raise LabError(f"probe: {result}")
        return [json.loads(line) for line in result.out.splitlines()]

    def records(self):
        """The audit so far; a line that is being written is none yet."""
        whole, _, _ = self.lab.read(AUDIT).rpartition("\n")
        return [json.loads(x) for x in whole.splitlines()]

    def last_record(self, limit_s=5):
        """The newest one; the end of what was opened comes a little later."""
        end = time.monotonic() + limit_s
        while True:
            found = [x for x in self.records() if x["event"] != "checkpoint"]
            if found[-1]["event"] != "open" or time.monotonic() > end:
                return found[-1]
            time.sleep(0.02)

    def news(self, before=0):
        """What came after @before records: no checkpoint, none half told."""
        self.last_record()
        found = self.records()[before:]
        return [x for x in found if x["event"] != "checkpoint"]

    def finals(self, before=0, n=1, limit_s=5, **wanted):
        """The final records of requests with these values, after @before
        records, once there are @n: they come a little after the answer."""
        end = time.monotonic() + limit_s
        while True:
            found = [
                r
                for r in self.records()[before:]
                if r["event"] == "request"
                and all(r.get(k) == v for k, v in wanted.items())
            ]
            if len(found) >= n or time.monotonic() > end:
                return found
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.lab.call("wait", pid=self.pid, timeout_s=0.01) is None:
            self.stop(signal.SIGTERM, 3)
            self.kill(signal.SIGKILL)
