"""Hostile requests and responses through the live daemon, byte for byte.

Our own cases are in tests/corpora; those of others are replayed as well
where they lie beside the checkout (see conftest.py).
"""

import sys
import time

import pytest

from corpora import http1, responses
from corpora.drive import replay
from lab import names, paths, zones

PROXY = "127.0.0.1:3180"
# How the bytes come: (what the destination is, bytes at a time; 0 is all).
FULL = paths.FULL
MODES = [("strict", 0), ("lenient", 1), ("strict", 3)]
if FULL:
    MODES += [("lenient", 0), ("strict", 1), ("lenient", 3)]


@pytest.fixture(scope="module", params=MODES, ids=lambda m: f"{m[0]}-{m[1]}")
def replayed(request, _session_agent):
    """Everything, once for each mode: {group: [what went wrong]}."""
    origin, piece = request.param
    words = ["--piece", str(piece)]
    if origin == "lenient":
        words += ["--lenient"]
    lab = _session_agent.lab
    found = {}
    for kind in ("requests", "responses"):
        found[kind] = replay(lab, kind, *words, proxy=PROXY)
    return found


@pytest.mark.parametrize("group", http1.GROUPS)
def test_requests_pass_in_one_reading_or_not_at_all(replayed, group):
    assert replayed["requests"][group] == []


@pytest.mark.parametrize("group", responses.GROUPS)
def test_hostile_responses_neither_poison_nor_hang(replayed, group):
    assert replayed["responses"][group] == []


def test_the_replay_tells_of_a_careless_proxy(azure, _session_agent):
    pid = azure.start_as(
        "alice",
        [paths.PYTHON, "-m", "corpora.control", "18099"],
        env={"PYTHONPATH": str(paths.SRC / "tests")},
        log="control.log",
    )
    try:
        end = time.monotonic() + 10
        log = paths.STATE / "control.log"
        while "ready" not in azure.read(log) and time.monotonic() < end:
            time.sleep(0.02)
        found = replay(
            azure,
            "requests",
            "--lenient",
            "--limit-s",
            "1",
            "--only",
            "codings",
            proxy="127.0.0.1:18099",
            name=names.CASES_ADDRESS,
        )
    finally:
        azure.call("signal", pid=pid, number=9)
    assert any("smuggled" in w for w in found["codings"])


COUNT = 100_000 if FULL else 3_000
GROWTH_KIB = 1024


def footprint(agent):
    """Resident KiB and open descriptors of the daemon."""
    script = "grep VmRSS /proc/$1/status; ls /proc/$1/fd | wc -l"
    said = agent.lab.run_as("root", ["sh", "-c", script, "-", agent.pid])
    words = said.out.split()
    return int(words[1]), int(words[-1])


def settled(agent):
    """When the last connections are gone."""
    end = time.monotonic() + 10
    last = footprint(agent)
    while time.monotonic() < end:
        time.sleep(0.5)
        now = footprint(agent)
        if now == last:
            break
        last = now
    return last


def test_nothing_stays_of_many_connections(agent):
    argv = [paths.PYTHON, "-m", "corpora.many", PROXY]
    env = {"PYTHONPATH": str(paths.SRC / "tests")}
    for count in (1_000, COUNT):
        before = settled(agent)
        result = agent.lab.run_as(
            "alice",
            [*argv, str(count), names.ACCT1, names.ACCT2],
            env=env,
            timeout_s=900,
        )
        assert result.code == 0, result
    after = settled(agent)
    assert after[0] - before[0] < GROWTH_KIB
    assert after[1] <= before[1] + 2


# Heads of 8 KiB and more in pieces: that takes longer than a head may.
SLOW = "^(?!gunicorn/(valid/02[46]|invalid/limit_header_default_01)$)"
OTHERS = {
    "whole": [],
    "lenient-3": ["--lenient", "--split", "3", "--only", SLOW],
}
if FULL:
    OTHERS["strict-1"] = ["--split", "1", "--only", SLOW]
    OTHERS["lenient-1"] = ["--lenient", *OTHERS["strict-1"]]
    OTHERS["lenient"] = ["--lenient"]
    OTHERS["strict-3"] = ["--split", "3", "--only", SLOW]


def total(printed):
    """The last row of the table that replay.py prints."""
    rows = [line.split() for line in printed.splitlines()]
    columns = next(r for r in rows if r[:1] == ["corpus"])[1:]
    figures = next(r for r in rows if r[:1] == ["TOTAL"])[1:]
    return dict(zip(columns, map(int, figures), strict=True))


if paths.OTHERS.is_dir():

    @pytest.mark.parametrize("mode", OTHERS)
    def test_the_cases_of_others_pass_or_fail_as_they_should(
        azure, mode, agent
    ):
        # Their folder may be closed to the lab's users.
        result = azure.run_as(
            "root",
            [
                sys.executable,
                paths.OTHERS / "replay.py",
                "--proxy",
                PROXY,
                "--origin-addr",
                names.CASES_ADDRESS,
                "--origin-name",
                zones.CORPORA,
                *OTHERS[mode],
                paths.OTHERS / "h1-gunicorn",
                paths.OTHERS / "h1-llhttp",
            ],
            timeout_s=200,
        )
        row = total(result.out)
        assert row.pop("n") > 200
        good = ("n_accept", "n_reject", "ok")
        assert {k: v for k, v in row.items() if v and k not in good} == {}
