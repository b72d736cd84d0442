"""wayleave run: as if the command had been run, and words after it."""

import re
import signal
import time

import pytest

from lab import paths, zones
from lab.daemon import CLI

FOREIGN = zones.ROUTES["R1"][0]
URL = f"https://{FOREIGN}/"
TOLD = rf"denied PUBLIC_ADDRESS id=([A-Z2-7]{{10}}): {FOREIGN}:443: "


def run(agent, *words, user="alice", **order):
    return agent.cli("run", *words, user=user, **order)


def test_run_ends_as_its_command_does(agent):
    assert run(agent, "--", "true").code == 0
    assert run(agent, "--", "sh", "-c", "exit 7").code == 7
    assert run(agent, "--", "sh", "-c", "kill -TERM $$").code == -15
    assert run(agent, "--", "/nowhere").code == 127
    assert run(agent, "--", "/etc/passwd").code == 126
    assert run(agent, "--", "cat", stdin="words").out == "words"


def test_run_says_what_was_denied_meanwhile(agent, untouched):
    refused = run(agent, "--", "curl", "-sS", URL)
    assert refused.code == 56
    found = re.search(TOLD, refused.err)
    assert found, refused
    assert "PUBLIC_ADDRESS" in agent.cli("why", found[1]).out
    # What was before is not told again.
    assert "denied" not in run(agent, "--", "true").err


def test_run_does_not_tell_what_was_denied_to_others(agent, untouched):
    inner = f"{CLI} run -- curl -sS {URL}"
    script = f"setpriv --reuid bob --regid bob --init-groups {inner}; exit 5"
    other = agent.cli("run", "--", "sh", "-c", script, user="root")
    assert other.code == 5
    assert len(re.findall(TOLD, other.err)) == 1, other


BECOMES = {
    "--quiet": ("", "--quiet"),
    "NOTIFY_SOCKET": ("NOTIFY_SOCKET=/nowhere", ""),
    "LISTEN_PID": ("LISTEN_PID=1", ""),
    "a service": ("SYSTEMD_EXEC_PID=$$", ""),
}


def pids(agent, variable, word):
    """Of a shell that becomes `wayleave run`, and of its command."""
    inner = "sh -c 'echo $$'"
    script = f"echo $$; {variable} exec {CLI} run {word} -- {inner}"
    shown = agent.lab.run_as("alice", ["sh", "-c", script])
    return shown.out.split()


@pytest.mark.parametrize("how", BECOMES)
def test_run_becomes_the_command_where_its_pid_matters(agent, how):
    first, second = pids(agent, *BECOMES[how])
    assert first == second


def test_run_stays_where_only_its_service_was_started_so(agent):
    first, second = pids(agent, "SYSTEMD_EXEC_PID=1", "")
    assert first != second


def test_a_quiet_run_says_nothing(agent):
    quiet = run(agent, "--quiet", "--", "curl", "-sS", URL)
    assert quiet.code == 56
    assert "id=" not in quiet.err


def test_signals_reach_the_command(azure, agent):
    script = (
        "trap 'echo got; exit 3' USR1; echo up; while :; do sleep .1; done"
    )
    argv = [CLI, "run", "--", "sh", "-c", script]
    pid = azure.start_as("alice", argv, log="run.log")
    log = paths.STATE / "run.log"
    end = time.monotonic() + 10
    while "up" not in azure.read(log) and time.monotonic() < end:
        time.sleep(0.05)
    azure.call("signal", pid=pid, number=int(signal.SIGUSR1))
    assert azure.call("wait", pid=pid, timeout_s=10) == 3
    assert "got" in azure.read(log)


def test_run_ends_where_the_end_of_children_was_ignored(agent):
    # As a Python parent with signal(SIGCHLD, SIG_IGN) leaves it.
    script = f"trap '' CHLD; exec {CLI} run -- sh -c 'exit 7'"
    ended = agent.lab.run_as("alice", ["sh", "-c", script], timeout_s=10)
    assert ended.code == 7, ended


def test_the_command_does_not_outlive_a_killed_run(azure, agent):
    argv = [CLI, "run", "--", "sh", "-c", "echo $$; exec sleep 60"]
    pid = azure.start_as("alice", argv, log="killed.log")
    log = paths.STATE / "killed.log"
    end = time.monotonic() + 10
    while not azure.read(log).strip() and time.monotonic() < end:
        time.sleep(0.05)
    child = azure.read(log).strip()
    azure.call("signal", pid=pid, number=int(signal.SIGKILL))
    azure.call("wait", pid=pid, timeout_s=10)
    gone = ["sh", "-c", f"sleep .2; kill -0 {child}"]
    assert azure.run_as("root", gone).code != 0


TOKEN = "$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=%s"
OUTSIDE = "https://graph.microsoft.com"


def test_a_refused_token_is_told_by_its_audience(agent):
    url = TOKEN % OUTSIDE
    script = f'curl -sS -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "{url}"'
    refused = run(agent, "--", "sh", "-c", script)
    found = re.search(
        rf"denied TOKEN_NOT_ALLOWED id=([A-Z2-7]{{10}}): {OUTSIDE}: ",
        refused.err,
    )
    assert found, refused
    shown = agent.cli("why", found[1])
    assert OUTSIDE in shown.out.splitlines()[0], shown
    assert ":0" not in shown.out
    lines = [x for x in agent.journal().splitlines() if found[1] in x]
    assert lines
    assert all(OUTSIDE in x and ":0" not in x for x in lines)
