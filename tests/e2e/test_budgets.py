"""Upload budgets: cut to the byte, for each user, over crash and restart."""

import signal
import time

import pytest
from test_forward import head, say

from lab import daemon as lab_daemon
from lab import zones

WEB = zones.WEB
BUDGET = 3000
RULES = [
    {
        "id": "few",
        "effect": "allow",
        "hosts": [WEB],
        "ports": [80],
        "route": "private-address",
        "upload_budget_bytes": BUDGET,
    }
]


@pytest.fixture(scope="module")
def budget(_session_agent):
    agent = _session_agent
    policy = {**lab_daemon.policy(), "tokens": [], "tests": []}
    agent.reload({**policy, "rules": RULES})
    yield agent
    agent.reload(lab_daemon.policy())


def finals(agent, before, n, limit_s=5):
    """The final records since, as soon as there are n of them."""
    end = time.monotonic() + limit_s
    while True:
        new = agent.records()[before:]
        new = [r for r in new if r["event"] == "request"]
        if len(new) >= n or time.monotonic() > end:
            return new
        time.sleep(0.02)


def put(agent, n, user="alice"):
    """(status, code or None, the final record) of n bytes up."""
    path = f"/put-{len(agent.records())}-{n}"
    line = f"PUT http://{WEB}{path}"
    fields = (f"Content-Length: {n}", "Connection: close")
    answer = say(agent, head(line, *fields) + "x" * n, user=user)
    words = answer.split("\r\n")[0].split(" ")
    (final,) = agent.finals(path=path)
    code = words[3] if "Denied" in words else None
    return int(words[1]), code, final


def test_a_budget_is_cut_to_the_byte_and_outlives_a_crash(budget):
    _, code, record = put(budget, 1000)
    assert code is None
    sent = record["bytes_up"]
    assert 1000 < sent < BUDGET
    assert (record["verdict"], record["close"]) == ("allow", "done")
    budget.kill(signal.SIGKILL)
    budget.lab.call("wait", pid=budget.pid, timeout_s=10)
    budget.start()
    # What does not fit goes up as far as it may.
    _, _, record = put(budget, 20_000)
    assert record["bytes_up"] == BUDGET - sent
    assert (record["verdict"], record["code"], record["close"]) == (
        *("deny", "BUDGET_SPENT", "budget"),
    )
    # From then on nothing does, also after a reload and an orderly end.
    status, code, record = put(budget, 1)
    assert (status, code) == (403, "BUDGET_SPENT")
    assert (record["verdict"], record["bytes_up"]) == ("deny", 0)
    budget.stop()
    budget.start()
    assert put(budget, 1)[:2] == (403, "BUDGET_SPENT")
    # It is each user's own.
    _, code, record = put(budget, 1000, user="bob")
    assert code is None
    assert record["verdict"] == "allow"


def test_many_at_once_send_no_byte_more(budget):
    policy = {**lab_daemon.policy(), "tokens": [], "tests": []}
    few = {**RULES[0], "id": "many", "upload_budget_bytes": 100_000}
    budget.reload({**policy, "rules": [few]})
    script = """
import socket, sys, threading
def work():
    s = socket.create_connection(("127.0.0.1", 3180), 10)
    try:
        s.sendall(bytes.fromhex(sys.argv[1]) + b"x" * 30000)
        while s.recv(65536):
            pass
    except OSError:
        pass
threads = [threading.Thread(target=work) for _ in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
"""
    before = len(budget.records())
    top = head(
        f"PUT http://{WEB}/many", "Content-Length: 30000", "Connection: close"
    )
    budget.lab.python_as("alice", script, top.encode().hex())
    new = budget.finals(before, 8, path="/many")
    assert len(new) == 8
    assert sum(r["bytes_up"] for r in new) == 100_000
    assert {r["code"] for r in new} >= {"BUDGET_SPENT"}
