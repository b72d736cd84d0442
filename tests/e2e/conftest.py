"""One lab and one daemon for the whole run."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import contract

import lab
from lab import broker, gateways, names, paths
from lab.daemon import Daemon


def pytest_terminal_summary(terminalreporter):
    if not paths.OTHERS.is_dir():
        terminalreporter.write_line(
            f"the corpora of others are not at {paths.OTHERS}: "
            "only our own cases were replayed"
        )


@pytest.fixture(scope="session")
def azure():
    """The lab; no public address but the allowed one is ever reached."""
    with lab.up() as running:
        yield running
        reached = {k for k, n in running.call("public").items() if n}
        named = {names.PUBLIC_LOGIN, names.PUBLIC_GITHUB}
        assert reached <= {f"{a}:443" for a in named}


@pytest.fixture(scope="session")
def _session_agent(azure):
    with Daemon(azure) as daemon:
        yield daemon
    # A build with a sanitizer says there what it found.
    journal = daemon.journal()
    found = journal.find("Sanitizer")
    assert found < 0, journal[max(0, found - 200) : found + 8000]


@pytest.fixture
def agent(_session_agent):
    """A running daemon with the lab's policy; started anew if a test
    before this one ended it."""
    azure = _session_agent.lab
    pid = _session_agent.pid
    if azure.call("wait", pid=pid, timeout_s=0.01) is not None:
        _session_agent.start()
    return _session_agent


@pytest.fixture
def imds(azure):
    """The metadata service's switch; all is well again afterwards."""
    yield azure.imds
    azure.call("imds_reset")


@pytest.fixture
def untouched(azure):
    """No connection to a public address during the test."""
    before = azure.call("public")
    yield
    assert azure.call("public") == before


@pytest.fixture(scope="session")
def secrets(_session_agent):
    """Each user's header and capability at the broker."""
    return {
        (purpose, user): broker.state_hmac(_session_agent, purpose, user)
        for purpose in ("header", "capability")
        for user in ("alice", "bob")
    }


@pytest.fixture
def another(agent):
    """See contract.Another: a daemon beside the one of the run."""
    more = contract.Another(agent)
    yield more.start
    more.stop()


@pytest.fixture(scope="module")
def gates(_session_agent):
    """See gateways.Gates: the run's daemon, with gateways meanwhile."""
    azure = _session_agent.lab
    pid = _session_agent.pid
    if azure.call("wait", pid=pid, timeout_s=0.01) is not None:
        _session_agent.start()
    opened = gateways.Gates(_session_agent)
    opened.open()
    yield opened
    opened.close()
