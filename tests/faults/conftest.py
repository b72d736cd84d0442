"""A lab of its own whose network fails as each test says."""

import copy
import itertools
import json
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lab
from lab import daemon, gateways, names, origin, paths

RULE = {"effect": "allow", "route": "private-address"}
PROXY = ["127.0.0.1", 3180]
NO_FAULTS = "table inet faults {}\ndelete table inet faults"
CONNECT_MS, HELLO_MS, IDLE_MS = 900, 1500, 2500
GATEWAY, COLD = ["127.0.0.1", 3190], ["127.0.0.1", 3191]


def config():
    value = copy.deepcopy(daemon.CONFIG)
    value["workers"] = 1
    value["dns"] = {
        "servers": [names.DNS, names.DNS2],
        "timeout_ms": 300,
        "attempts": 2,
    }
    value["timeouts"] = {
        "connect_ms": CONNECT_MS,
        "hello_ms": HELLO_MS,
        "tls_ms": gateways.TLS_MS,
        "idle_ms": IDLE_MS,
    }
    # What one test leaves open is not to serve the next.
    value["limits"] = {"upstreams_idle": 0}
    value["gateways"] = [
        {
            "name": f"to-{port}",
            "listen": "{}:{}".format(*listen),
            "upstream": f"https://{names.FAULTY}:{port}",
        }
        for listen, port in ((GATEWAY, origin.BEHIND), (COLD, origin.COLD))
    ]
    return value


def policy():
    value = daemon.policy()
    ports = [80, 443, origin.CLOSED]
    hosts = [names.FAULTY, f"*.{names.FRESH}"]
    raw = {"hosts": [names.FAULTY], "ports": [origin.RAW], "sni": "any"}
    value["rules"] += [
        {"id": "faulty", "hosts": hosts, "ports": ports, **RULE},
        {"id": "raw", **raw, **RULE},
    ]
    for port, audience in (
        (origin.BEHIND, gateways.PROOFS_AUDIENCE),
        (origin.COLD, gateways.COLD_AUDIENCE),
    ):
        to = {"hosts": [names.FAULTY], "ports": [port]}
        more = gateways.inject(audience)
        value["rules"].append({"id": f"to-{port}", **to, **RULE, **more})
    return value


@pytest.fixture(scope="session")
def azure():
    with lab.up() as running:
        yield running


@pytest.fixture(scope="session")
def agent(azure):
    with daemon.Daemon(azure, config(), policy()) as running:
        yield running


class Faults:
    """The client's side, the origin's side, and the audit between them."""

    fresh = itertools.count()
    to = PROXY

    def __init__(self, agent):
        self.agent = agent
        self.lab = agent.lab
        self._before = len(agent.records())

    def origin(self, *plays):
        self.lab.call("origin", plays=list(plays))

    def told(self, n=1, limit_s=10):
        """What the origin's first n connections came to, once all ended."""
        end = time.monotonic() + limit_s
        while True:
            found = self.lab.call("origin_told")
            if len(found["told"]) >= n and not found["open"]:
                return found["told"]
            assert time.monotonic() < end, found
            time.sleep(0.02)

    def client(self, *steps, name=names.FAULTY):
        """One connection to the proxy; what it came to."""
        order = {"to": self.to, "steps": list(steps), "server_name": name}
        order["ca"] = str(paths.CA_FILE)
        result = self.lab.run_as(
            "alice",
            [paths.PYTHON, "-m", "lab.script"],
            env={"PYTHONPATH": str(paths.SRC / "tests")},
            stdin=json.dumps([order]),
        )
        assert result.code == 0, result
        return json.loads(result.out)

    def get(self, name):
        """A plain GET of the host, and all that comes back."""
        head = f"GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\n"
        return self.client(
            ["send", head + "Connection: close\r\n\r\n"], ["all"]
        )

    def name(self):
        """A host that nobody has asked for yet."""
        return f"n{next(self.fresh)}-{time.time_ns()}.{names.FRESH}"

    def nft(self, rule, hook="output"):
        """One more fault of the network until the test is over. What is
        dropped on output is an error to who sends it, on input it is lost."""
        table = f"""table inet faults {{
            chain {hook} {{
                type filter hook {hook} priority 0
                {rule}
            }}
        }}"""
        self.lab.call("nft", script=table)

    def heal(self):
        """The network and the resolvers are well again."""
        self.lab.call("nft", script=NO_FAULTS)
        self.lab.call("dns_fault")

    def new_records(self):
        return self.agent.records()[self._before :]

    def record(self, limit_s=5, **wanted):
        """The one request record of this test with these members."""
        end = time.monotonic() + limit_s
        while True:
            new = self.new_records()
            found = [
                r
                for r in new
                if r["event"] == "request"
                and all(r.get(k) == v for k, v in wanted.items())
            ]
            if found:
                assert len(found) == 1, found
                return found[0]
            assert time.monotonic() < end, new
            time.sleep(0.05)

    def sockets(self):
        """How many sockets and pipes the daemon has."""
        script = f"ls -l /proc/{self.agent.pid}/fd | grep -c 'socket:'"
        result = self.lab.run_as("root", ["sh", "-c", script])
        return int(result.out)


class Behind(Faults):
    """The same where a gateway stands between: the origin speaks TLS, and
    what a client says is in origin-form."""

    to = GATEWAY

    def origin(self, *plays):
        super().origin(*([["tls"], *play] for play in plays))

    def client(self, *steps, name=names.FAULTY):
        own = "{}:{}".format(*self.to)
        said = []
        for word, *rest in steps:
            if word == "send":
                text = rest[0].replace(f"http://{name}/", "/")
                rest = [text.replace(f"Host: {name}", f"Host: {own}")]
            said.append([word, *rest])
        return super().client(*said, name=name)


def healed(agent, found):
    """Gives @found; all is well again afterwards, and nothing leaked."""
    before = found.sockets()
    yield found
    found.heal()
    end = time.monotonic() + 2 * IDLE_MS / 1000
    while found.sockets() > before and time.monotonic() < end:
        time.sleep(0.1)
    assert found.sockets() <= before


@pytest.fixture
def faults(agent):
    """The lab's faults, and a client of the proxy port."""
    yield from healed(agent, Faults(agent))


@pytest.fixture
def behind(agent):
    """The same, and a client of a gateway."""
    yield from healed(agent, Behind(agent))


@pytest.fixture
def cold(agent):
    """Of one for which no token has come yet."""
    found = Behind(agent)
    found.to = COLD
    yield from healed(agent, found)
    found.lab.call("imds_reset")
