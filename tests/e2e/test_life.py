"""Reload under load, stop, kill -9, the lock, and the audit of it all."""

import json
import signal
import time

import pytest

from lab import daemon as lab_daemon
from lab import names, paths, services, zones

ECHO = """
import os, socket, ssl, sys, time, json
host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
s = socket.create_connection(("127.0.0.1", 3180))
s.sendall(f"CONNECT {host}:{port} HTTP/1.1\\r\\nHost: {host}:{port}\\r\\n\\r\\n"
          .encode())
head = b""
while b"\\r\\n\\r\\n" not in head:
    head += s.recv(1)
assert b" 200 " in head, head
t = ssl.create_default_context(cafile=sys.argv[4]).wrap_socket(
    s, server_hostname=host)
t.settimeout(10)
end, rounds, lost, died = time.time() + seconds, 0, 0, None
try:
    while time.time() < end:
        data = os.urandom(4096)
        t.sendall(data)
        got = b""
        while len(got) < len(data):
            piece = t.recv(65536)
            if not piece:
                raise ConnectionError("ended")
            got += piece
        lost += got != data
        rounds += 1
        if rounds % 50 == 0:
            time.sleep(0.005)
except OSError as e:
    died = time.time()
print(json.dumps({"rounds": rounds, "lost": lost, "died": died}))
"""


def start_echo(agent, seconds, name):
    argv = [paths.PYTHON, "-c", ECHO, zones.ECHO, services.ECHO_PORT]
    argv += [seconds, paths.CA_FILE]
    return agent.lab.start_as("alice", argv, log=name)


def finished(agent, pid, name):
    agent.lab.call("wait", pid=pid, timeout_s=40)
    return json.loads(agent.lab.read(paths.STATE / name).splitlines()[-1])


def test_a_hundred_reloads_lose_no_byte_of_a_tunnel(agent):
    tunnels = [
        (start_echo(agent, 8, f"echo-{i}.log"), f"echo-{i}.log")
        for i in range(4)
    ]
    time.sleep(0.7)
    before = agent.generation()
    for _ in range(100):
        agent.kill(signal.SIGHUP)
        time.sleep(0.03)
    time.sleep(0.5)
    assert agent.generation() > before + 10
    for pid, name in tunnels:
        seen = finished(agent, pid, name)
        assert seen["died"] is None
        assert seen["lost"] == 0
        assert seen["rounds"] > 50


def test_a_tunnel_whose_rule_went_ends_within_a_second(agent):
    pid = start_echo(agent, 15, "gone.log")
    time.sleep(0.7)
    rules = lab_daemon.policy()
    rules["rules"] = [r for r in rules["rules"] if r["id"] != "echo"]
    at = time.time()
    try:
        agent.reload(rules)
        seen = finished(agent, pid, "gone.log")
    finally:
        agent.reload(lab_daemon.policy())
    assert seen["lost"] == 0
    assert seen["died"] is not None
    assert seen["died"] - at < 2


def test_a_bad_policy_keeps_the_last_good_one(agent):
    before = agent.generation()
    agent.lab.write(lab_daemon.ETC / "policy.json", "{")
    try:
        agent.kill(signal.SIGHUP)
        time.sleep(0.5)
        assert agent.generation() == before
        (answer,) = agent.probe({"host": names.ACCT1})
        assert answer["status"] == 200
    finally:
        agent.reload(lab_daemon.policy())


def verify(agent):
    argv = ["audit", "verify", "--key", "/var/lib/wayleave/audit.pub"]
    return agent.cli(*argv, lab_daemon.AUDIT, user="root")


def test_the_audit_verifies_and_a_flipped_byte_does_not(agent):
    agent.probe({"host": names.ACCT1})
    good = verify(agent)
    assert good.code == 0, good
    text = agent.lab.read(lab_daemon.AUDIT)
    lines = text.splitlines(keepends=True)
    lines[3] = lines[3].replace('"time":"2', '"time":"3', 1)
    bad = str(paths.STATE / "flipped.jsonl")
    agent.lab.write(bad, "".join(lines))
    argv = ["audit", "verify", "--key", "/var/lib/wayleave/audit.pub", bad]
    assert agent.cli(*argv, user="root").code == 1


def test_a_full_disk_denies_and_heals_by_itself(agent):
    def resize(size):
        argv = ["mount", "-o", f"remount,size={size}", "/var/log/wayleave"]
        assert agent.lab.run_as("root", argv).code == 0

    # Rotated files lie there too.
    argv = ["du", "-s", "-B4096", "/var/log/wayleave"]
    pages = int(agent.lab.run_as("root", argv).out.split()[0])
    resize((pages + 1) * 4096)
    codes = set()
    try:
        for _ in range(12):
            (answer,) = agent.probe({"host": names.ACCT1})
            if answer["status"] != 200:
                codes.add(json.loads(answer["body"])["code"])
        assert codes == {"AUDIT_UNAVAILABLE"}
    finally:
        resize("64m")
    end = time.monotonic() + 10
    while agent.probe({"host": names.ACCT1})[0]["status"] != 200:
        assert time.monotonic() < end
        time.sleep(0.2)
    assert verify(agent).code == 0


def test_query_reads_the_whole_chain_in_order(agent):
    def told(what):
        argv = ["audit", what, "--host", names.ACCT1]
        argv += ["--json"] if what == "query" else []
        result = agent.cli(*argv, user="root")
        assert result.code == 0, result
        return [json.loads(x)["seq"] for x in result.out.splitlines()]

    agent.probe({"host": names.ACCT1})
    for _ in range(2):
        before = told("query")
        last = agent.records()[-1]["seq"]
        name = f"audit.20260101T000000Z-{last}.jsonl"
        file = lab_daemon.AUDIT.replace("audit.jsonl", name)
        argv = ["mv", lab_daemon.AUDIT, file]
        assert agent.lab.run_as("root", argv).code == 0
        agent.reload()
        agent.probe({"host": names.ACCT1})
        after = told("query")
        assert after[: len(before)] == before
        assert len(after) > len(before)
        assert after == sorted(after) == told("export")


def test_term_drains_and_exits_0(agent):
    assert agent.stop(signal.SIGTERM) == 0
    assert agent.records()[-1]["event"] in ("stop", "checkpoint")


def test_kill_9_is_survived_by_the_chain(agent):
    agent.probe({"host": names.ACCT1})
    agent.stop(signal.SIGKILL)
    agent.start()
    (answer,) = agent.probe({"host": names.ACCT1})
    assert answer["status"] == 200
    assert verify(agent).code == 0


def test_the_process_shows_nothing_and_dumps_nothing(agent):
    """By its own uid neither environment nor memory can be read."""
    code = """
import os, sys
pid = next(p for p in os.listdir("/proc") if p.isdigit() and
           open(f"/proc/{p}/cmdline").read().split("\\0")[0]
           .endswith("/wayleaved"))
for name in ("environ", "mem", "maps"):
    try:
        open(f"/proc/{pid}/{name}", "rb").read(1)
        print(name, "readable")
    except OSError as e:
        print(name, "refused")
"""
    seen = agent.lab.run_as("wayleave", ["/usr/bin/python3", "-c", code])
    assert seen.out.split()[1::2] == ["refused"] * 3, seen


def test_an_address_that_comes_later_is_our_own_too(azure, agent):
    def code():
        (answer,) = agent.probe({"host": zones.PLAIN_HOSTS[0]})
        body = answer.get("body") or "{}"
        return json.loads(body).get("code") if answer["status"] != 200 else 200

    def until(wanted):
        end = time.monotonic() + 5
        while (seen := code()) != wanted:
            assert time.monotonic() < end, seen

    def ip(*words):
        result = azure.run_as("root", ["ip", *words])
        assert result.code == 0, result

    assert code() == 200
    ip("link", "add", "own0", "type", "veth", "peer", "name", "own1")
    try:
        ip("address", "add", f"{zones.EP}/32", "dev", "own0")
        until("SELF")
    finally:
        ip("link", "delete", "own0")
    until(200)


LOCK = paths.REPO / "systemd" / "wayleave-egress.nft"


@pytest.fixture
def lock(azure):
    script = LOCK.read_text()
    users = "add element inet wayleave governed { alice, bob }\n"
    azure.call("nft", script=script + users)
    yield
    azure.call("nft", script="delete table inet wayleave\n")


def reach(azure, url, user="alice"):
    argv = ["curl", "-sSk", "-m", "3", "-o", "/dev/null", "-w", "%{http_code}"]
    return azure.run_as(user, [*argv, "-H", "Metadata: true", url])


TOKEN = (
    f"http://{names.IMDS}/metadata/identity/oauth2/token"
    f"?api-version=2018-02-01&resource={names.STORAGE_AUDIENCE}"
)


def test_without_the_lock_a_refusal_is_advice(azure, agent):
    assert reach(azure, TOKEN).out == "200"
    assert reach(azure, f"https://{names.ACCT1}/").out == "401"


def test_with_the_lock_only_the_agent_leads_out(azure, agent, lock):
    start = time.monotonic()
    assert reach(azure, TOKEN).code == 7
    assert reach(azure, f"https://{names.ACCT1}/").code in (6, 7)
    assert reach(azure, f"https://{names.PUBLIC}/").code == 7
    assert time.monotonic() - start < 2
    (answer,) = agent.probe({"host": zones.ROUTES["R3"][0], "get": "/"})
    assert answer["http"]["status"] == 200
