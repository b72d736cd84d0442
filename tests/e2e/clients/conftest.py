"""What the client matrix shares: a client is run with what `wayleave env`
gives and nothing secret, under the egress lock, so that all it does goes
through the agent; and what its person sees of a refusal is checked."""

import re

import pytest

from lab import clients as programs
from lab import names, paths, zones

# A public address without a private endpoint; a host that no rule names.
FOREIGN = zones.ROUTES["R1"][0]
UNNAMED = "acct3.blob.core.windows.net"
# Allowed by a private route; a plain server that says what it was asked.
PLAIN = zones.ROUTES["R3"][0]

SECRET = re.compile(
    r"SECRET|PASSWORD|PASSWD|TOKEN$|_KEY$|SAS|CONNECTION_STRING|ASSERTION"
)
ID = re.compile(r"\b[A-Z2-7]{10}\b")


class Clients:
    """Runs clients through the agent; knows the audit since the start."""

    def __init__(self, agent):
        self.agent = agent
        self.lab = agent.lab
        self._before = len(agent.records())

    def environment(self, name=None, user="alice", env=None):
        """What `wayleave env [--client NAME]` gives; no secret is in it."""
        full = {**self.agent.environment(user, client=name), **(env or {})}
        held = [k for k in full if SECRET.search(k)]
        assert not held, f"a secret in the environment: {held}"
        return full

    def run(self, argv, name=None, user="alice", env=None, **order):
        """Run a command as a person would after eval $(wayleave env)."""
        full = self.environment(name, user, env)
        return self.lab.run_as(user, argv, env=full, **order)

    def python(self, code, *args, python=paths.PYTHON, **order):
        return self.run([python, "-c", code, *args], **order)

    def told(self, code, *args, name=None, python=paths.PYTHON, **order):
        """The same under `wayleave run`, which says what was denied, for
        clients that show too little of it themselves."""
        argv = programs.told([python, "-c", code, *args], name)
        return self.run(argv, name, **order)

    def records(self):
        """The audit's records since this test began."""
        return self.agent.records()[self._before :]

    def finals(self, n=1, **wanted):
        """See Daemon.finals()."""
        return self.agent.finals(self._before, n, **wanted)

    def allowed(self, host, protocol=None):
        """How often the audit says that the host was let through."""
        return sum(
            r["event"] == "open"
            and r["host"] == host
            and protocol in (None, r["protocol"])
            for r in self.records()
        )

    def refused(self, result, code="PUBLIC_ADDRESS"):
        """The client failed, its person sees the code or the id, and the
        audit has a denial with them."""
        assert result.code != 0, result
        text = result.out + result.err
        denied = [
            r
            for r in self.records()
            if r.get("verdict") == "deny" and r.get("code") == code
        ]
        assert denied, f"no {code} in the audit: {result}"
        ids = {r["id"] for r in denied}
        assert code in text or ids & set(ID.findall(text)), result


PATIENT = """
import sys
from adlfs import AzureBlobFileSystem
from azure.identity.aio import DefaultAzureCredential
fs = AzureBlobFileSystem(account_name=sys.argv[1], anon=False,
                         credential=DefaultAzureCredential())
print(fs.cat("adlfs/year=2026/a.csv"))
"""


class Patient:
    """adlfs against a refused account. Its retries cannot be set and take
    a minute and a half, which other tests fill."""

    def __init__(self, agent):
        self.lab = agent.lab
        self.host = zones.ROUTES["R2"][0]
        argv = [paths.PYTHON, "-c", PATIENT, self.host.split(".")[0]]
        env = agent.environment("bob")
        self.pid = self.lab.start_as("bob", argv, env=env, log="patient.log")

    def end(self, limit_s=150):
        args = {"pid": self.pid, "timeout_s": limit_s}
        code = self.lab.call("wait", limit_s=limit_s + 10, **args)
        return code, self.lab.read(paths.STATE / "patient.log")


@pytest.fixture(scope="session", autouse=True)
def patient(_session_agent):
    return Patient(_session_agent)


@pytest.fixture(scope="session")
def trust(azure):
    """A file with the lab's CA as Java wants it."""
    store = paths.STATE / "trust.jks"
    keytool = programs.java_home() / "bin" / "keytool"
    argv = [keytool, "-importcert", "-noprompt", "-alias", "lab"]
    argv += ["-file", paths.CA_FILE, "-keystore", store]
    argv += ["-storetype", "JKS", "-storepass", "changeit"]
    made = azure.run_as("root", argv)
    assert made.code == 0, made
    return store


@pytest.fixture
def clients(agent):
    """The agent's clients; see Clients. Users reach loopback only."""
    lock = paths.REPO / "systemd" / "wayleave-egress.nft"
    governed = "add element inet wayleave governed { alice, bob, daemon }\n"
    agent.lab.call("nft", script=lock.read_text() + governed)
    yield Clients(agent)
    agent.lab.call("nft", script="delete table inet wayleave\n")


@pytest.fixture
def hosts():
    """Names that a row may use: see the lab's names for the rest."""
    return {
        "foreign": FOREIGN,
        "unnamed": UNNAMED,
        "plain": PLAIN,
        **vars(names),
    }
