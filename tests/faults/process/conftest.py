"""A lab of its own whose daemon is killed, starved and lied to."""

import contextlib
import copy
import json
import os
import signal
import time

import pytest

import lab
from lab import daemon, names, paths
from lab.driver import LabError

from .sizes import HEAD_MS

LOG_DIR = "/var/log/wayleave"


def config():
    value = copy.deepcopy(daemon.CONFIG)
    value["workers"] = 2
    value["dns"] = {"servers": [names.DNS], "timeout_ms": 2000, "attempts": 2}
    value["limits"] = {"connections": 16384, "connections_per_uid": 12000}
    value["timeouts"] = {"request_head_ms": HEAD_MS}
    value["log"] = {"level": "notice"}
    return value


def policy():
    """Each user has names of their own, so that a record tells on a mix-up."""
    value = daemon.policy()
    rule = {"effect": "allow", "route": "private-address"}
    value["rules"].append(
        {"id": "fresh", "hosts": [f"*.{names.FRESH}"], **rule}
    )
    return value


@pytest.fixture(scope="session")
def azure():
    with lab.up() as running:
        yield running


@pytest.fixture(scope="session")
def _process(azure):
    with daemon.Daemon(azure, config(), policy()) as running:
        yield Process(running)
    journal = running.journal()
    found = journal.find("Sanitizer")
    assert found < 0, journal[max(0, found - 200) : found + 8000]


@pytest.fixture
def process(_process):
    """A running daemon whose audit is that of this test alone."""
    _process.begin_anew()
    _process.mark = len(_process.agent.journal())
    yield _process


class Process:
    """The daemon as the kernel sees it, and those who load it."""

    def __init__(self, agent):
        self.agent = agent
        self.lab = agent.lab
        self.mark = 0

    def is_alive(self):
        pid = self.agent.pid
        return self.lab.call("wait", pid=pid, timeout_s=0.01) is None

    def begin_anew(self):
        if self.is_alive():
            self.agent.stop(signal.SIGKILL)
        self.sh(f"rm -f {LOG_DIR}/* /var/lib/wayleave/audit.head")
        self.agent.start()

    def root(self, *argv, **order):
        return self.lab.run_as("root", argv, **order)

    def sh(self, script):
        return self.root("sh", "-c", script).out.strip()

    def load(self, *words, user="alice", timeout_s=900):
        """Run lab.load to its end; its lines."""
        result = self.lab.run_as(
            user,
            [paths.PYTHON, "-m", "lab.load", *words],
            env={"PYTHONPATH": str(paths.SRC / "tests")},
            timeout_s=timeout_s,
        )
        assert result.code == 0, result
        return result.out.splitlines()

    def start_load(self, log, *words, user="alice"):
        return self.lab.start_as(
            user,
            [paths.PYTHON, "-m", "lab.load", *words],
            env={"PYTHONPATH": str(paths.SRC / "tests")},
            log=log,
        )

    def end_load(self, pid, log, limit_s=60):
        self.lab.call("wait", pid=pid, timeout_s=limit_s, limit_s=limit_s + 9)
        return self.lab.read(paths.STATE / log).splitlines()

    def journal(self):
        """What it said since the test began."""
        return self.agent.journal()[self.mark :]

    def fds(self):
        return int(self.sh(f"ls /proc/{self.agent.pid}/fd | wc -l"))

    def rss_kib(self):
        """What it has of its own: not the libraries' pages."""
        return int(
            self.sh(
                f"awk '/RssAnon/{{print $2}}' /proc/{self.agent.pid}/status"
            )
        )

    def cpu_s(self):
        ticks = self.sh(
            f"awk '{{print $14 + $15}}' /proc/{self.agent.pid}/stat"
        )
        return int(ticks) / os.sysconf("SC_CLK_TCK")

    def answers(self, limit_s=10):
        """Wait until an allowed request is allowed; returns how long."""
        start = time.monotonic()
        while self.status() != "200":
            assert time.monotonic() < start + limit_s, self.agent.journal()[
                -3000:
            ]
            time.sleep(0.02)
        return time.monotonic() - start

    def status(self):
        host = f"try-{time.time_ns()}.{names.FRESH}"
        code = (
            "import sys, asyncio; from lab import load;"
            "print(asyncio.run(load.ask(sys.argv[1])))"
        )
        result = self.lab.run_as(
            "alice",
            [paths.PYTHON, "-c", code, host],
            env={"PYTHONPATH": str(paths.SRC / "tests")},
        )
        return result.out.strip()

    def files(self):
        """The whole chain's files, the oldest first."""
        found = self.sh(
            f"ls {LOG_DIR}/audit.2*.jsonl 2>/dev/null | sort -V;"
            f"ls {LOG_DIR}/audit.jsonl"
        )
        return found.split()

    def records(self):
        return [
            json.loads(line)
            for file in self.files()
            for line in self.lab.read(file).splitlines()
        ]

    def verify(self):
        argv = ["audit", "verify", "--key", "/var/lib/wayleave/audit.pub"]
        return self.agent.cli(*argv, *self.files(), user="root")

    def found(self, event):
        """The records of one kind, without bringing all of them here."""
        place = paths.STATE / "found"
        files = " ".join(self.files())
        self.sh(f'grep -h \'"event":"{event}"\' {files} > {place}')
        return [json.loads(x) for x in self.lab.read(place).splitlines()]

    def assert_all_recorded(self, lines):
        """Whoever was told 200 has an `open` record; returns how many."""
        told = {x.split()[0] for x in lines if x.endswith(" 200")}
        opened = {r["host"] for r in self.found("open")}
        assert told <= opened, sorted(told - opened)[:5]
        return len(told)

    @contextlib.contextmanager
    def started_by(self, *before):
        """Meanwhile it is one that this command became."""
        self.agent.stop(signal.SIGKILL)
        self.agent.start(before=before)
        try:
            yield
            assert self.is_alive(), self.agent.journal()[-3000:]
        finally:
            self.agent.stop(signal.SIGKILL)
            self.agent.start()

    def kill_and_start(self):
        self.agent.stop(signal.SIGKILL)
        for _ in range(3):
            try:
                return self.agent.start()
            except LabError as e:
                # Another lab that starts may sweep our cgroup away.
                if "(exit 126)" not in str(e):
                    raise
        return self.agent.start()
