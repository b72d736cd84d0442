"""Gateways for the lab's daemon: where they are, what they lead to, with
whose token; and a client that says to them whatever bytes it is given."""

import copy
import json
import re
import time
from urllib.parse import urlsplit

from . import daemon, names, paths, seen, zones

PLACEHOLDER = "dapi-placeholder"
SEEN_SOCKET = "/run/wayleave/seen.sock"
# Where tokens for its audience have never been asked for.
COLD_PORT = 8505
RULED_PORT = 8506
COLD_AUDIENCE = "https://cold.lab.example"
PROOFS_AUDIENCE = "https://proofs.lab.example"
# The one of the corpora's ports where their origin speaks TLS.
CORPORA_PORT = zones.CORPORA_PORTS[-1]
# Handshakes that never end do so after this.
TLS_MS = 1500
# No rule names it.
UNNAMED = "seen2.search.windows.net"

UPSTREAMS = {
    "mlflow": (3190, f"https://{names.AZUREML}{names.MLFLOW_PATH}"),
    "databricks": (3191, f"https://{names.DATABRICKS}"),
    "score": (3192, f"https://{names.SCORE}"),
    "seen": (3193, f"https://{names.SEEN}"),
    "prefixed": (3194, f"https://{names.SEEN}/some/prefix"),
    "bare": (3195, f"https://{zones.ROUTES['R3'][0]}"),
    "unnamed": (3196, f"https://{UNNAMED}"),
    "public": (3197, f"https://{zones.ROUTES['R1'][0]}"),
    "cold": (3198, f"https://{names.PROOFS}:{COLD_PORT}"),
    "ruled": (3187, f"https://{names.PROOFS}:{RULED_PORT}"),
    "faulty": (3199, f"https://{names.FAULTY}"),
    "corpora": (3189, f"https://{zones.CORPORA}:{CORPORA_PORT}"),
    **{
        f"proof-{port}": (
            3200 + port - min(seen.PROOFS),
            f"https://{names.PROOFS}:{port}",
        )
        for port in seen.PROOFS
        if port not in (COLD_PORT, RULED_PORT)
    },
}
PORTS = {name: port for name, (port, _) in UPSTREAMS.items()}


def entries():
    """The configuration's `gateways`."""
    made = [
        {"name": n, "listen": f"127.0.0.1:{port}", "upstream": url}
        for n, (port, url) in UPSTREAMS.items()
    ]
    url = f"https://{names.SEEN}"
    socket = f"unix:{SEEN_SOCKET}"
    return [*made, {"name": "seen-unix", "listen": socket, "upstream": url}]


def config():
    value = copy.deepcopy(daemon.CONFIG)
    value["gateways"] = entries()
    value["timeouts"] = {"tls_ms": TLS_MS}
    return value


def inject(audience, identity="alice", **more):
    return {"inject": {"identity": identity, "audience": audience, **more}}


def policy():
    """The lab's, but that alice's calls get their tokens at the exit, and
    nobody gets one from the broker."""
    value = daemon.policy()
    value["tokens"] = []
    ours = [
        ("mlflow", names.AZUREML, inject(names.ARM_AUDIENCE)),
        ("score", names.SCORE, inject(names.ML_AUDIENCE, "host")),
        (
            "databricks",
            names.DATABRICKS,
            inject(names.DATABRICKS_AUDIENCE, placeholders=[PLACEHOLDER]),
        ),
        (
            "seen",
            names.SEEN,
            inject(names.SEEN_AUDIENCE, placeholders=[PLACEHOLDER]),
        ),
    ]
    gone = {id for id, _, _ in ours}
    rules = [r for r in value["rules"] if r["id"] not in gone]
    rules += [
        {
            "id": id,
            "effect": "allow",
            "hosts": [host],
            "workloads": ["alice"],
            **more,
        }
        for id, host, more in ours
    ]
    apart = {"effect": "allow", "hosts": [names.PROOFS]}
    apart["route"] = "private-address"
    good = sorted(set(seen.PROOFS) - {COLD_PORT, RULED_PORT})
    rules += [
        {"id": "proofs", "ports": good, **apart, **inject(PROOFS_AUDIENCE)},
        {"id": "cold", "ports": [COLD_PORT], **apart, **inject(COLD_AUDIENCE)},
    ]
    for id, host, port in (
        ("faulty", names.FAULTY, 443),
        ("corpora-tls", zones.CORPORA, CORPORA_PORT),
        ("ruled", names.PROOFS, RULED_PORT),
    ):
        rules.append(
            {
                **apart,
                "id": id,
                "hosts": [host],
                "ports": [port],
                "workloads": ["alice"],
                **inject(PROOFS_AUDIENCE),
            }
        )
    value["rules"] = rules
    return value


def ruled():
    """That policy, with one rule on requests and none on their tokens; and
    two hosts that copies may come from."""
    value = policy()
    for rule in value["rules"]:
        if rule["id"] == "ruled":
            del rule["inject"]
            rule["methods"] = ["GET", "HEAD", "PUT"]
            rule["paths"] = ["/pub/*", "/box"]
            rule["deny_sas"] = True
    apart = {"hosts": [names.PROOFS], "ports": [RULED_PORT]}
    value["rules"].append(
        {"id": "never", "effect": "deny", "paths": ["/pub/keep/*"], **apart}
    )
    return value


def chunks(*trailers):
    """A chunked body of three bytes."""
    return "3\r\nabc\r\n0\r\n" + "".join(t + "\r\n" for t in trailers) + "\r\n"


def head(line, *fields, to="seen", host=None, close=True):
    """A head for a gateway, by default the last of its connection."""
    host = f"127.0.0.1:{PORTS[to]}" if host is None else host
    lines = [f"{line} HTTP/1.1"]
    lines += [f"Host: {host}"] if host else []
    lines += [*fields, *(["Connection: close"] if close else [])]
    return "\r\n".join(lines) + "\r\n\r\n"


class Answer:
    """What came back on one connection, up to its end."""

    def __init__(self, told):
        self.text = told["got"]
        self.ended = told.get("ended")
        self.s = told.get("s")
        top, _, self.body = self.text.partition("\r\n\r\n")
        words = top.split("\r\n")[0].split(" ", 2)
        self.status = int(words[1]) if len(words) > 1 else None
        self.reason = words[2] if len(words) > 2 else ""
        self.fields = {}
        for line in top.split("\r\n")[1:]:
            name, _, value = line.partition(":")
            self.fields[name.lower()] = value.strip()

    def statuses(self):
        found = re.findall(r"HTTP/1\.1 (\d+) ", self.text)
        return [int(x) for x in found]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The code of a refusal; None: it was answered by the origin."""
        if "problem+json" not in self.fields.get("content-type", ""):
            return None
        return self.json["code"]

    def __repr__(self):
        return f"{self.text[:2000]!r} ended by {self.ended}"


class Gates:
    """The lab's daemon while it has the gateways."""

    def __init__(self, agent):
        self.agent = agent
        self.lab = agent.lab

    def open(self):
        self.lab.call("proofs")
        self.reload(config(), policy())

    def close(self):
        self.reload(daemon.CONFIG, daemon.POLICY)

    def reload(self, config=None, rules=None):
        self.agent.write(config=config)
        self.agent.reload(rules)

    def ended(self, path, limit_s=5):
        """The two records of the last request with this path."""
        end = time.monotonic() + limit_s
        while True:
            found = [r for r in self.agent.records() if r.get("path") == path]
            opened = [r["id"] for r in found if r["event"] == "open"]
            mine = [r for r in found if r["id"] in opened[-1:]]
            if len(mine) == 2 or time.monotonic() > end:
                assert [r["event"] for r in mine] == ["open", "request"]
                return mine
            time.sleep(0.02)

    def order(self, to, steps):
        """For script.py."""
        return {"to": ["127.0.0.1", PORTS.get(to, to)], "steps": steps}

    def play(self, *plays, **who):
        """Each is (name of a gateway or its port, steps; see script.py)."""
        return self.script([self.order(*play) for play in plays], **who)

    def script(self, orders, user="alice", unit=None):
        argv = [paths.PYTHON, "-m", "lab.script"]
        result = self.lab.run_as(
            user,
            argv,
            unit=unit,
            env={"PYTHONPATH": str(paths.SRC / "tests")},
            stdin=json.dumps(orders),
            timeout_s=120,
        )
        if result.code != 0:
            raise daemon.LabError(f"script: {result}")
        return [Answer(json.loads(x)) for x in result.out.splitlines()]

    def say(self, text, to="seen", **order):
        """One connection: these bytes, and all that comes back."""
        return self.play((to, [["send", text], ["all"]]), **order)[0]

    def each(self, said, to="seen", **order):
        """name -> bytes with @ for the path, each for a connection of its
        own; name -> (answer, heads that the origin noted)."""
        self.lab.call("seen")
        plays = [
            (to, [["send", text.replace("@", f"/case-{i}-", 1)], ["all"]])
            for i, text in enumerate(said.values())
        ]
        answers = self.play(*plays, **order)
        noted = self.lab.call("seen")
        found = {}
        for i, (name, answer) in enumerate(zip(said, answers, strict=True)):
            mine = [n for n in noted if f"/case-{i}-" in n["line"]]
            found[name] = answer, mine
        strays = len(noted) - sum(len(n) for _, n in found.values())
        if strays:
            raise AssertionError(f"heads that nobody sent: {noted}")
        return found


PROXY = ["127.0.0.1", 3180]
# What clients of inspected tunnels believe.
BUNDLE = "/run/wayleave/ca-bundle.pem"


class Tunnels(Gates):
    """The same origins behind inspected tunnels: what is said to a gateway
    is said inside of one, with the origin's own name for its Host."""

    def order(self, to, steps):
        port, url = UPSTREAMS[to]
        where = urlsplit(url)
        host = where.netloc
        at = f"{where.hostname}:{where.port or 443}"
        asked = f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n"
        inner = [
            [word, *(self.inside(x, port, host) for x in rest)]
            for word, *rest in steps
        ]
        opened = [["send", asked], ["head"], ["tls"], ["forget"]]
        return {
            "to": PROXY,
            "steps": [*opened, *inner],
            "server_name": where.hostname,
            "ca": BUNDLE,
        }

    @staticmethod
    def inside(value, port, host):
        if not isinstance(value, str):
            return value
        return value.replace(f"127.0.0.1:{port}", host)
