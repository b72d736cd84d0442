"""Contract 6 and 7: the audit, its files and its verification; admin."""

import copy
import hashlib
import json
import re
import signal
import time

import pytest

from lab import daemon as lab_daemon
from lab import names, paths

FIELDS = ["time", "seq", "prev", "id", "event", "verdict", "would", "code"]
FIELDS += ["rule", "mode", "workload", "listener", "protocol", "method"]
FIELDS += ["host", "port", "path", "resolved", "address", "sni", "tls"]
FIELDS += ["injected", "status", "bytes_up", "bytes_down", "ms", "close"]
FIELDS += ["policy"]
INNER = {
    "workload": ["names", "uid", "user", "pid", "exe", "unit", "cgroup"],
    "resolved": ["chain", "addresses", "zone", "ttl"],
    "ms": ["dns", "connect", "tls", "first", "total"],
    "policy": ["generation", "sha256"],
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
KEY = "/var/lib/wayleave/audit.pub"
HEAD = "/var/lib/wayleave/audit.head"
FOLDER = "/var/log/wayleave"


def verify(agent, *files, words=()):
    argv = ["audit", "verify", "--key", KEY, *words, *files]
    return agent.cli(*argv, user="root")


def test_records_have_the_fields_in_their_order(agent):
    agent.probe({"host": names.ACCT1, "get": "/"})
    agent.last_record()
    agent.probe({"host": "nothing.lab.example"})
    opened, ended, denied = agent.news()[-3:]
    for record in (opened, ended, denied):
        assert list(record) == FIELDS
        assert TIME.fullmatch(record["time"])
        for name, members in INNER.items():
            if record[name] is not None:
                assert list(record[name]) == members
    assert [r["event"] for r in (opened, ended, denied)] == [
        "open",
        "request",
        "request",
    ]
    assert opened["id"] == ended["id"] != denied["id"]
    assert ended["resolved"]["zone"] == "privatelink.blob.core.windows.net"
    assert ended["address"] == names.ENDPOINTS[names.ACCT1]
    assert ended["sni"] == names.ACCT1
    assert ended["bytes_up"] > 0
    assert ended["status"] == 200
    assert ended["workload"]["user"] == "alice"
    assert ended["workload"]["pid"] is None
    assert denied["resolved"] is None
    assert re.fullmatch("[0-9a-f]{64}", ended["policy"]["sha256"])


def test_the_open_record_is_there_before_the_200(agent):
    code = (
        "import socket, sys\n"
        "s = socket.create_connection(('127.0.0.1', 3180))\n"
        f"h = '{names.ACCT1}:443'\n"
        "s.sendall(f'CONNECT {h} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'.encode())\n"
        "assert b' 200 ' in s.recv(200)\n"
        f"print(open('{lab_daemon.AUDIT}').read().splitlines()[-1])\n"
    )
    # Root may read the audit, and is a workload like any other.
    result = agent.lab.run_as("root", ["/usr/bin/python3", "-c", code])
    record = json.loads(result.out)
    assert (record["event"], record["host"]) == ("open", names.ACCT1)
    assert record["workload"]["user"] == "root"


def rotated(agent):
    """The names of the files that the audit has left behind, in order."""
    listed = agent.lab.run_as("root", ["ls", FOLDER]).out.split()
    return [name for name in listed if name.startswith("audit.2")]


def test_the_chain_runs_on_over_restarts(agent):
    agent.stop()
    agent.start()
    lines = agent.lab.read(lab_daemon.AUDIT).splitlines()
    first = json.loads(lines[0])
    number, prev = first["seq"], first["prev"]
    # Another test may have rotated it: only then it begins in the midst.
    assert (number == 1) == (prev == "0" * 64)
    assert number == 1 or rotated(agent)
    for line in lines:
        record = json.loads(line)
        assert (record["seq"], record["prev"]) == (number, prev)
        number += 1
        prev = hashlib.sha256(line.encode()).hexdigest()
    events = [json.loads(x)["event"] for x in lines[-4:]]
    assert events[-3:] == ["stop", "checkpoint", "start"]


MANY = """
import socket
for i in range(1100):
    with socket.create_connection(("127.0.0.1", 3180)) as s:
        s.sendall(b"CONNECT many%d.lab.example:443 HTTP/1.1\\r\\n" % (i % 9))
        s.sendall(b"Host: x\\r\\n\\r\\n")
        s.recv(64)
"""


def test_a_checkpoint_signs_every_thousand_records(agent):
    before = len(agent.records())
    run = agent.lab.run_as("alice", ["/usr/bin/python3", "-c", MANY])
    assert run.code == 0, run
    found = [r for r in agent.records()[before:] if r["event"] == "checkpoint"]
    assert found
    last = found[-1]
    assert last["head"] == last["prev"]
    assert len(last["signature"]) == 128
    assert json.loads(agent.lab.read(HEAD))["seq"] == last["seq"]
    status = json.loads(agent.cli("status", "--json").out)["audit"]
    assert status["checkpoint_seq"] == last["seq"]
    assert status["key_id"] == last["key_id"]


def test_the_stop_signs_and_the_journal_tells_the_same_head(agent):
    agent.probe({"host": names.ACCT1})
    agent.stop()
    try:
        last = agent.records()[-1]
        line = f"checkpoint {last['seq']}, head {last['head']}"
        assert line in agent.journal()
        whole = verify(agent, lab_daemon.AUDIT, words=["--head", HEAD])
        assert whole.code == 0
        assert "undecidable" not in whole.out
        alone = verify(agent, lab_daemon.AUDIT)
        assert "undecidable" in alone.out
    finally:
        agent.start()


def test_a_torn_tail_is_cut_off_and_told(agent):
    torn = '{"time":"2026-torn'
    agent.stop()
    script = f"printf '%s' '{torn}' >> {lab_daemon.AUDIT}"
    agent.lab.run_as("root", ["sh", "-c", script])
    assert "torn" in verify(agent, lab_daemon.AUDIT).out
    agent.start()
    assert agent.lab.read(lab_daemon.AUDIT + ".torn") == torn
    start = [r for r in agent.records() if r["event"] == "start"][-1]
    digest = hashlib.sha256(torn.encode()).hexdigest()
    assert start["torn"] == {"bytes": len(torn), "sha256": digest}
    assert verify(agent, lab_daemon.AUDIT).code == 0


def changed(lines, how):
    at = len(lines) // 2
    if how == "flipped":
        line = lines[at].replace('"time":"2', '"time":"3', 1)
        return [*lines[:at], line, *lines[at + 1 :]]
    if how == "missing":
        return [*lines[:at], *lines[at + 1 :]]
    if how == "swapped":
        return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
    return [*lines[:-1], lines[-1][:-9]]


@pytest.mark.parametrize("how", ["flipped", "missing", "swapped", "torn"])
def test_verify_names_what_was_done(agent, how):
    agent.probe(*[{"host": names.ACCT1}] * 3)
    lines = agent.lab.read(lab_daemon.AUDIT).splitlines(keepends=True)[-9:]
    path = str(paths.STATE / f"{how}.jsonl")
    agent.lab.write(path, "".join(changed(lines, how)))
    result = verify(agent, path)
    assert result.code == 1
    assert f": {how}: " in result.out
    assert re.match(rf"{path}:\d+: ", result.out)


def test_a_cut_after_the_last_checkpoint_is_undecidable(agent):
    agent.stop()
    agent.start()
    agent.probe(*[{"host": names.ACCT1}] * 2)
    lines = agent.lab.read(lab_daemon.AUDIT).splitlines(keepends=True)
    path = str(paths.STATE / "cut.jsonl")
    agent.lab.write(path, "".join(lines[:-1]))
    result = verify(agent, path)
    assert result.code == 0
    assert "undecidable" in result.out
    ends = [i for i, x in enumerate(lines) if '"checkpoint"' in x]
    agent.lab.write(path, "".join(lines[: ends[-1]]))
    result = verify(agent, path, words=["--head", HEAD])
    assert result.code == 1
    assert ": cut: " in result.out


def test_rotation_names_files_and_a_run_of_them_verifies(agent):
    config = copy.deepcopy(lab_daemon.CONFIG)
    config["audit"]["rotate_bytes"] = 20000
    before = rotated(agent)
    agent.stop()
    agent.write(config=config)
    agent.start()
    try:
        agent.probe(*[{"host": names.ACCT1}] * 40)
    finally:
        agent.stop()
        agent.write(config=lab_daemon.CONFIG)
        agent.start()
    old = [name for name in rotated(agent) if name not in before]
    assert len(old) >= 2
    for name in old:
        found = re.fullmatch(r"audit\.\d{8}T\d{6}Z-(\d+)\.jsonl", name)
        lines = agent.lab.read(f"{FOLDER}/{name}").splitlines()
        assert int(found[1]) == json.loads(lines[-1])["seq"]
    files = [f"{FOLDER}/{x}" for x in [*old, "audit.jsonl"]]
    assert verify(agent, *files).code == 0
    assert verify(agent, *reversed(files)).code == 0
    lone = verify(agent, files[1])
    assert lone.code == 0
    assert "states prev" in lone.out
    assert verify(agent, files[0], *files[2:]).code == 1


def test_a_file_that_was_moved_away_is_begun_anew(agent):
    script = f"mv {lab_daemon.AUDIT} {FOLDER}/moved.jsonl"
    agent.lab.run_as("root", ["sh", "-c", script])
    agent.kill(signal.SIGHUP)
    time.sleep(0.5)
    agent.probe({"host": names.ACCT1})
    assert agent.last_record()["host"] == names.ACCT1
    both = [f"{FOLDER}/moved.jsonl", lab_daemon.AUDIT]
    assert verify(agent, *both).code == 0


def test_keys_are_the_daemons_alone(agent):
    show = ["stat", "-c", "%a %U", "/var/lib/wayleave/audit.key"]
    show += [lab_daemon.AUDIT, "/var/lib/wayleave/broker.key"]
    modes = agent.lab.run_as("root", show).out.split("\n")[:3]
    assert modes == ["600 wayleave"] * 3
    refused = agent.cli("audit", "query", lab_daemon.AUDIT)
    assert refused.code == 77


# ---- 7: admin -------------------------------------------------------------


def admin(agent, path, *words):
    argv = ["curl", "-sS", "-i", *words, f"http://127.0.0.1:3182{path}"]
    out = agent.lab.run_as("bob", argv).out
    head, _, body = out.replace("\r\n", "\n").partition("\n\n")
    return int(head.split()[1]), body


def test_admin_tells_and_changes_nothing(agent):
    assert admin(agent, "/livez")[0] == 200
    status, body = admin(agent, "/readyz")
    assert (status, json.loads(body)["reasons"]) == (200, [])
    status, body = admin(agent, "/status")
    assert json.loads(body)["policy"]["mode"] == "enforce"
    assert admin(agent, "/")[0] == 200
    assert admin(agent, "/nothing")[0] == 404
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert admin(agent, "/livez", "-X", method)[0] == 405
    assert admin(agent, "/status", "-H", "Host: evil.example")[0] == 400


def test_metrics_have_one_prefix_and_no_host_names(agent):
    agent.probe({"host": names.ACCT1}, {"host": "nothing.lab.example"})
    status, body = admin(agent, "/metrics")
    assert status == 200
    for line in body.splitlines():
        name = line.split()[2] if line.startswith("#") else line
        assert name.startswith("wayleave_")
    assert "lab.example" not in body
    assert names.ACCT1 not in body
    assert re.search(
        r'wayleave_denials_total\{code="HOST_NOT_ALLOWED"\} [1-9]', body
    )


def test_a_loop_that_cannot_be_made_is_no_negative_finding(agent):
    script = f"ulimit -n 12; exec {lab_daemon.DAEMON} -c"
    script += f" {lab_daemon.ETC}/wayleave.json"
    result = agent.lab.run_as("wayleave", ["sh", "-c", script])
    assert result.code in (69, 70, 74)
    assert "[err]" not in result.err
