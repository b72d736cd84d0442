"""Contract 8 and 9: what two people must do the same way."""

import json
import signal
import time

import pytest
from contract import tool

from lab import daemon as lab_daemon
from lab import names, paths, zones

CONTROL = lab_daemon.CONFIG["listen"]["control"]

# ---- DNS: both families are awaited ---------------------------------------

# a-KIND.aaaa-KIND.zone: what is answered to A and to AAAA.
SERVER = """
import socket, struct
ANSWERS = {1: {"ok": "10.20.0.12", "pub": "20.38.104.164",
               "priv": "10.200.0.9"},
           28: {"ok": "fd20::12", "pub": "2603:1020:206::5",
                "priv": "fd99::1"}}
CODES = {"nx": 3, "servfail": 2}
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
while True:
    b, peer = s.recvfrom(4096)
    at, labels = 12, []
    while b[at]:
        labels.append(b[at + 1:at + 1 + b[at]].decode())
        at += 1 + b[at]
    kind, = struct.unpack("!H", b[at + 1:at + 3])
    word = labels[0 if kind == 1 else 1].split("-")[1]
    if word == "drop":
        continue
    text, data = ANSWERS[kind].get(word), b""
    if text:
        raw = socket.inet_pton(2 if kind == 1 else 10, text)
        data = b"\\xc0\\x0c" + struct.pack("!HHIH", kind, 1, 5, len(raw)) + raw
    head = struct.pack("!HHHHH", 0x8180 | CODES.get(word, 0), 1, bool(text),
                       0, 0)
    s.sendto(b[:2] + head + b[12:at + 5] + data, peer)
"""

OK = "ok"  # A leads to a server that is there, AAAA to none
FAMILIES = {
    ("ok", "nodata"): OK,
    ("ok", "servfail"): OK,
    ("ok", "drop"): OK,
    ("ok", "nx"): "DNS_NXDOMAIN",
    ("nx", "ok"): "DNS_NXDOMAIN",
    ("nx", "servfail"): "DNS_NXDOMAIN",
    ("nodata", "ok"): "CONNECT_UNREACHABLE",
    ("servfail", "ok"): "CONNECT_UNREACHABLE",
    ("drop", "ok"): "CONNECT_UNREACHABLE",
    ("nodata", "nodata"): "DNS_NODATA",
    ("servfail", "servfail"): "DNS_SERVFAIL",
    ("drop", "drop"): "DNS_TIMEOUT",
    ("ok", "pub"): "MIXED_ADDRESSES",
    ("pub", "ok"): "MIXED_ADDRESSES",
    ("ok", "priv"): "UNEXPECTED_PRIVATE",
    ("pub", "nodata"): "PUBLIC_ADDRESS",
    ("nodata", "pub"): "PUBLIC_ADDRESS",
    ("priv", "nodata"): "UNEXPECTED_PRIVATE",
}
# On route "public" every address must be global.
PUBLIC = {
    ("ok", "nodata"): "UNEXPECTED_PRIVATE",
    ("pub", "priv"): "MIXED_ADDRESSES",
    ("nodata", "priv"): "UNEXPECTED_PRIVATE",
    ("pub", "nx"): "DNS_NXDOMAIN",
}


def test_both_families_are_awaited_and_judged_together(agent, another):
    lab = agent.lab
    server = lab.start_as("root", ["/usr/bin/python3", "-c", SERVER])
    dns = {"servers": ["127.0.0.53"], "timeout_ms": 300, "attempts": 1}
    listen = {"proxy": ["127.0.0.1:4180"]}
    listen["control"] = "/run/wayleave/families/control.sock"
    policy = lab_daemon.policy()
    policy["endpoints"].append("fd20::/64")
    policy["rules"] = [
        {
            "id": "own",
            "effect": "allow",
            "hosts": ["*.own.lab.example"],
            "route": "private-address",
        },
        {
            "id": "out",
            "effect": "allow",
            "hosts": ["*.out.lab.example"],
            "route": "public",
            "reason": "x",
        },
    ]
    try:
        ready, _, log = another(
            "families", listen=listen, dns=dns, policy=policy
        )
        assert ready, log
        wanted = [("own", *k, v) for k, v in FAMILIES.items()]
        wanted += [("out", *k, v) for k, v in PUBLIC.items()]
        requests = [
            {
                "host": f"a-{a}.aaaa-{b}.{zone}.lab.example",
                "proxy": ["127.0.0.1", 4180],
                "raw": "x",
            }
            for zone, a, b, _ in wanted
        ]
        answers = agent.probe(*requests)
        found = [
            OK if r["status"] == 200 else json.loads(r["body"])["code"]
            for r in answers
        ]
    finally:
        lab.call("signal", pid=server, number=9)
    assert list(zip(wanted, found, strict=True)) == [(w, w[3]) for w in wanted]


# ---- the control socket ---------------------------------------------------

TALK = """
import json, socket, sys
for text in json.load(sys.stdin):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(sys.argv[1])
        data = b""
        try:
            s.sendall(text.encode())
            while x := s.recv(65536):
                data += x
        except OSError:
            pass
        print(data.split(b"\\n")[0].decode() or "null")
"""


def control(agent, user, *questions):
    result = agent.lab.run_as(
        user,
        ["/usr/bin/python3", "-c", TALK, CONTROL],
        stdin=json.dumps(list(questions)),
    )
    assert result.code == 0, result
    return [json.loads(x) for x in result.out.splitlines()]


def ask(verb, **more):
    return json.dumps({"verb": verb, **more}) + "\n"


def test_the_control_socket_is_open_to_all_and_asks_the_kernel(agent):
    mode = agent.lab.run_as("alice", ["stat", "-c", "%a", CONTROL])
    assert mode.out.strip() == "666"
    for user in ("alice", "root"):
        found = control(agent, user, ask("status"), ask("env"), ask("tokens"))
        assert all(x["ok"] for x in found)
    # What a client says of itself is not believed.
    (mine,) = control(agent, "alice", ask("env", uid=0))
    (roots,) = control(agent, "root", ask("env"))
    assert mine["identity_header"] != roots["identity_header"]


def test_others_are_for_root_and_the_daemons_group(agent):
    words = ["why", names.ACCT2, "--user", "bob"]
    assert agent.cli(*words, user="alice").code == 77
    for user in ("root", "wayleave"):
        assert agent.cli(*words, user=user).code == 0
    assert agent.cli("why", names.ACCT1, user="alice").code == 0
    agent.probe({"host": "whose.lab.example"}, user="bob")
    past = agent.last_record()["id"]
    assert agent.cli("why", past, user="bob").code == 1
    assert agent.cli("why", past, user="root").code == 1
    assert "whose" not in str(agent.cli("why", past, user="alice"))


def test_a_workload_learns_no_address_from_why(agent):
    found = agent.cli("why", names.ACCT1, "--json", user="alice").out
    assert names.ENDPOINTS[names.ACCT1] not in found
    found = agent.cli("why", names.ACCT1, "--json", user="root").out
    assert names.ENDPOINTS[names.ACCT1] in found


NOISE = ["", "\n", "x\n", "[1]\n", "{}\n", '{"verb":1}\n', "[" * 5000 + "\n"]
NOISE += ["A" * 300000 + "\n", '{"verb":"stop"}\n', '{"verb":"\\u0000"}\n']


def test_noise_on_the_control_socket_harms_nobody(agent):
    control(agent, "alice", *NOISE[1:])
    assert agent.cli("status").code == 0


# ---- the process ----------------------------------------------------------


def test_a_workload_that_is_the_daemon_itself_is_refused(agent, another):
    policy = lab_daemon.policy()
    policy["workloads"]["self"] = {"users": ["wayleave"]}
    ready, code, log = another("same", policy=policy)
    assert not ready
    assert code in (77, 78)
    assert "unsafe_same_user" in log
    ready, _, log = another("same2", policy=policy, unsafe_same_user=True)
    assert ready, log


def test_the_start_takes_a_lock_and_names_it(agent):
    argv = [lab_daemon.DAEMON, "-c", lab_daemon.ETC / "wayleave.json"]
    result = agent.lab.run_as("wayleave", argv, timeout_s=10)
    assert result.code == 69
    assert "wayleaved.lock" in result.err
    assert agent.cli("status").code == 0


def test_memory_that_cannot_be_locked_is_refused_or_told(agent, another):
    status = json.loads(agent.cli("status", "--json").out)["memory"]
    assert status == {**status, "locked": True, "total_bytes": 4 << 20}
    ready, _, log = another("small", limits={"secret_bytes": 65536})
    assert ready, log
    words = [
        "status",
        "--json",
        "--socket",
        "/run/wayleave/small/control.sock",
    ]
    memory = json.loads(agent.cli(*words).out)["memory"]
    assert memory["total_bytes"] == 65536


def test_trust_is_the_configured_file_alone(agent):
    """A bad file keeps nothing from serving, and is told."""
    before = agent.lab.read(paths.CA_FILE)
    agent.stop()
    agent.lab.write(paths.CA_FILE, "nothing\n")
    try:
        words = ["check", "-c", lab_daemon.ETC / "wayleave.json"]
        assert agent.cli(*words, user="wayleave").code == 78
    finally:
        agent.lab.write(paths.CA_FILE, before)
        agent.start()


def test_reload_of_a_bad_trust_file_keeps_the_old(agent):
    config = json.loads(json.dumps(lab_daemon.CONFIG))
    config["tls"] = {"ca_file": "/nonexistent/ca.pem"}
    before = agent.generation()
    try:
        agent.write(config=config)
        agent.kill(signal.SIGHUP)
        time.sleep(0.5)
        status = json.loads(agent.cli("status", "--json").out)
        assert status["reload"]["ok"] is False
        assert "/tls/ca_file" in status["reload"]["message"]
        assert status["policy"]["generation"] == before
        assert status["ready"] is True
    finally:
        agent.write(config=lab_daemon.CONFIG)
        agent.kill(signal.SIGHUP)
        time.sleep(0.5)


def test_the_journals_priorities_are_for_the_journal_alone(agent, another):
    script = (
        "f=$(mktemp); export JOURNAL_STREAM=$(stat -c %d:%i $f); "
        '"$@" 2>$f; cat $f; export JOURNAL_STREAM=1:2; "$@" 2>$f; cat $f'
    )
    argv = [lab_daemon.DAEMON, "-c", "/nonexistent.json"]
    result = agent.lab.run_as("alice", ["sh", "-c", script, "sh", *argv])
    first, second = result.out.splitlines()
    assert first.startswith("<3>")
    assert not second.startswith("<")


def test_self_is_also_what_a_wildcard_listener_covers(agent, another):
    listen = {"proxy": ["0.0.0.0:4180"]}
    listen["control"] = "/run/wayleave/wide/control.sock"
    policy = lab_daemon.policy()
    address = names.CASES_ADDRESS
    policy["rules"] = [
        {
            "id": "a",
            "effect": "allow",
            "addresses": [address],
            "ports": [4180, 443],
        }
    ]
    ready, _, log = another(
        "wide", listen=listen, unsafe_listen=True, policy=policy
    )
    assert ready, log
    proxy = ["127.0.0.1", 4180]
    own, other = agent.probe(
        {"host": address, "port": 4180, "proxy": proxy},
        {"host": address, "port": 443, "proxy": proxy, "raw": "GET /\r\n\r\n"},
    )
    assert json.loads(own["body"])["code"] == "SELF"
    assert other["status"] == 200


# ---- places in JSON -------------------------------------------------------


@pytest.mark.parametrize("pad", ["", "\n", " \n\t\r\n", "\n" * 500])
def test_places_are_those_of_an_editor(tmp_path, pad):
    text = f'{{{pad}"version": 1, "esc\\u0061pe": [1, {{"x": "]"}}]}}'
    (tmp_path / "wayleave.json").write_text(text, newline="")
    result = tool("check", "-c", tmp_path / "wayleave.json")
    at = text.index('"esc')
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    assert f"wayleave.json:{line}:{column}: /escape: " in result.stderr


def test_a_client_that_is_nobody_is_unknown_to_every_rule(agent):
    (answer,) = agent.probe({"host": zones.WEB}, user="nobody")
    assert json.loads(answer["body"])["code"] == "WORKLOAD_NOT_ALLOWED"
    assert json.loads(answer["body"])["workload"] == "unknown"


def test_the_sample_of_the_contract_passes_check(tmp_path):
    sample = {
        "version": 1,
        "name": "wayleave",
        "listen": {
            "proxy": ["127.0.0.1:3180"],
            "broker": ["127.0.0.1:3181"],
            "admin": ["127.0.0.1:3182"],
            "control": "/run/wayleave/control.sock",
            "transparent": [],
            "dns": [],
        },
        "workers": "auto",
        "policy_file": "policy.json",
        "dns": {
            "servers": ["168.63.129.16"],
            "timeout_ms": 2000,
            "attempts": 2,
            "max_ttl_s": 60,
            "zones": [{"suffix": "corp.example", "servers": ["10.0.0.4:53"]}],
        },
        "tls": {"ca_file": "/etc/ssl/certs/ca-certificates.crt"},
        "identities": [{"name": "host", "source": "imds"}],
        "gateways": [],
        "audit": {
            "file": "/var/log/wayleave/audit.jsonl",
            "on_failure": "deny",
            "rotate_bytes": 268435456,
            "keep": 0,
        },
        "limits": {},
        "timeouts": {},
        "log": {"level": "info"},
    }
    (tmp_path / "wayleave.json").write_text(json.dumps(sample))
    (tmp_path / "policy.json").write_text('{"version": 1}')
    result = tool("check", "-c", tmp_path / "wayleave.json")
    assert result.returncode == 0, result


def test_the_pid_is_known_on_unix_sockets_alone(agent):
    request = {"host": names.ACCT1, "proxy": lab_daemon.PROXY_SOCKET}
    (answer,) = agent.probe(request)
    assert answer["status"] == 200
    assert agent.last_record()["workload"]["pid"] > 1
    agent.probe({"host": names.ACCT1})
    assert agent.last_record()["workload"]["pid"] is None
