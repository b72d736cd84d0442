"""Contract 1: verbs, their help, exit codes, signals."""

import json
import signal
import time

import pytest
from contract import tool

from lab import daemon as lab_daemon
from lab import names

HERE = ["check", "why", "policy test", "audit verify", "audit query"]
HERE += ["audit tail", "audit export", "token list", "token revoke"]
HERE += ["env", "run", "status", "wait", "ca show", "ca export", "ca rotate"]
LATER = ["policy learn", "policy diff", "policy init"]
LATER += ["doctor", "login", "logout"]


@pytest.mark.parametrize("verb", HERE + LATER)
def test_each_verb_has_help_that_is_honest(verb):
    result = tool(*verb.split(), "--help")
    assert result.returncode == 0
    assert f"wayleave {verb.split()[0]}" in result.stdout
    assert result.stderr == ""
    assert ("ot in this version" in result.stdout) >= (verb in LATER)


@pytest.mark.parametrize("verb", LATER)
def test_what_comes_later_says_so(verb):
    for more in ((), ("x",), ("--json", "x", "y")):
        result = tool(*verb.split(), *more)
        assert result.returncode == 69
        assert "not in this version" in result.stderr


def test_the_help_lists_every_verb_and_what_is_missing():
    out = tool("--help").stdout
    for verb in {v.split()[0] for v in HERE + LATER}:
        (line,) = [x for x in out.splitlines() if x.split()[:1] == [verb]]
        later = verb in LATER
        assert ("not in this version" in line) == later
    assert "learn" not in out


SOCKET = ["--socket", "/nonexistent/control.sock"]
DOWN = [
    ["status"],
    ["wait", "--timeout", "0"],
    ["wait", "--timeout", "1"],
    ["env"],
    ["token", "list"],
    ["ca", "show"],
    ["why", names.ACCT1],
    ["why", "ABCDEFGH23"],
]


@pytest.mark.parametrize("words", DOWN, ids=" ".join)
def test_without_a_daemon_it_is_unavailable(words):
    result = tool(*words, *SOCKET)
    assert result.returncode == 69
    assert result.stdout == ""
    assert result.stderr.startswith("wayleave")


def test_run_without_a_daemon_runs_nothing(tmp_path):
    made = tmp_path / "made"
    assert tool("run", *SOCKET, "--", "touch", made).returncode == 69
    assert not made.exists()


USAGE = [
    [],
    ["frobnicate"],
    ["--frob"],
    ["status", "x"],
    ["wait", "--timeout", "soon"],
    ["wait", "--timeout", "-1"],
    ["env", "--shell", "csh"],
    ["run"],
    ["check", "x"],
    ["check", "-c"],
    ["why"],
    ["why", "a.b.c", "d.e.f"],
    ["why", "ftp://a.b.c/"],
    ["why", "a.b.c:99999"],
    ["why", "a.b.c", "--at", "noon"],
    ["why", "a.b.c", "--resolves", "not a name"],
    ["policy"],
    ["policy", "tset"],
    ["audit"],
    ["audit", "verify"],
    ["audit", "query", "--verdict", "maybe"],
    ["token"],
]


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_wrong_arguments_are_64(words):
    result = tool(*words)
    assert result.returncode == 64
    assert result.stdout == ""
    assert result.stderr


def test_facts_as_json_are_json(agent):

    agent.probe({"host": names.ACCT1})
    for words in (
        ["status"],
        ["wait"],
        ["env"],
        ["token", "list"],
        ["why", names.ACCT1],
    ):
        result = agent.cli(*words, "--json")
        assert result.code == 0, result
        json.loads(result.out)


def test_no_colour_reaches_a_terminal_that_wants_none(agent):
    show = f"script -qec '{lab_daemon.CLI} status' /dev/null"
    for env in ({"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}):
        result = agent.lab.run_as("alice", ["sh", "-c", show], env=env)
        assert "ready" in result.out
        assert "\x1b" not in result.out


def test_run_gives_the_commands_own_exit_code(agent):
    for code in (0, 1, 7, 78):
        words = ["run", "--", "sh", "-c", f"exit {code}"]
        assert agent.cli(*words).code == code
    assert agent.cli("run", "--", "no-such-command").code == 127
    assert agent.cli("run", "--", "/etc/passwd").code == 126


HOLD = """
import socket, time
s = socket.create_connection(("127.0.0.1", 3180))
s.sendall(b"CONNECT %s:443 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
assert b" 200 " in s.recv(200)
time.sleep(60)
"""


def hold_a_tunnel(agent):
    code = HOLD % names.ACCT1
    agent.lab.start_as("alice", ["/usr/bin/python3", "-c", code])
    end = time.monotonic() + 5
    while agent.records()[-1]["event"] != "open":
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_drain_at_once(agent, number):
    hold_a_tunnel(agent)
    start = time.monotonic()
    agent.kill(number)
    time.sleep(0.5)
    assert agent.lab.call("wait", pid=agent.pid, timeout_s=0.01) is None
    assert agent.cli("status").code == 0
    assert agent.cli("wait", "--timeout", "0").code == 69
    assert agent.stop(number, 5) == 0
    assert time.monotonic() - start < 5
    assert [r["event"] for r in agent.records()[-2:]] == ["stop", "checkpoint"]
    assert agent.records()[-3]["close"] == "drain"


def test_a_hangup_reloads_and_never_ends_it(agent):
    before = agent.generation()
    for _ in range(3):
        agent.kill(signal.SIGHUP)
        time.sleep(0.1)
    assert agent.generation() > before
    assert agent.last_record()["event"] == "reload"
