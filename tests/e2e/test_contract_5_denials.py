"""Contract 5: what a refusal looks like, to the byte."""

import json
import re
import time

import pytest

from lab import daemon as lab_daemon
from lab import names, services, zones

ID = re.compile(r"^[A-Z2-7]{10}$")
MEMBERS = ["type", "title", "status", "detail", "instance", "code", "id"]
MEMBERS += ["destination", "workload", "rule_near", "unmet", "fix", "retry"]
MEMBERS += ["error"]
UNNAMED = "nothing.lab.example"
EVIL = f"CONNECT {UNNAMED}:443 HTTP/1.1\r\nHost: {UNNAMED}:443\r\n\r\n"


def plain(url, *fields, method="GET", version="1.1"):
    host = url.split("/")[2]
    lines = [f"{method} {url} HTTP/{version}", f"Host: {host}", *fields]
    return "\r\n".join(lines) + "\r\n\r\n"


# name -> (request head, status, code)
HEADS = {
    "host": (EVIL, 403, "HOST_NOT_ALLOWED"),
    "python": (
        f"CONNECT {UNNAMED}:443 HTTP/1.0\r\n\r\n",
        403,
        "HOST_NOT_ALLOWED",
    ),
    "port": (
        EVIL.replace(UNNAMED, names.ACCT1).replace("443", "8443"),
        403,
        "PORT_NOT_ALLOWED",
    ),
    "workload": (
        EVIL.replace(UNNAMED, names.ACCT2),
        403,
        "WORKLOAD_NOT_ALLOWED",
    ),
    "plaintext": (plain(f"http://{names.ACCT1}/?sig=x"), 403, "PLAINTEXT"),
    "https": (plain(f"https://{names.ACCT1}/"), 400, "BAD_REQUEST"),
    "no request": ("HELLO\r\n\r\n", 400, "BAD_REQUEST"),
    "origin form": ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "BAD_REQUEST"),
    "bare LF": (EVIL.replace("\r\n", "\n"), 400, "BAD_REQUEST"),
    "no port": (EVIL.replace(":443", ""), 400, "BAD_AUTHORITY"),
    "version": (
        plain(f"http://{UNNAMED}/", version="2.0"),
        505,
        "BAD_REQUEST",
    ),
    "long head": (
        plain(f"http://{UNNAMED}/", "A: " + "a" * 20000),
        431,
        "BAD_REQUEST",
    ),
    "long line": (
        plain(f"http://{UNNAMED}/" + "a" * 20000),
        414,
        "BAD_REQUEST",
    ),
    "metadata": (
        plain("http://169.254.169.254/metadata/instance", "Metadata: true"),
        403,
        "METADATA_PROXIED",
    ),
    "loop": (
        plain(f"http://{zones.WEB}/", "Via: 1.1 wayleave"),
        502,
        "LOOP",
    ),
    "no name": (
        EVIL.replace(UNNAMED, zones.ROUTES["R4"][0]),
        502,
        "DNS_NXDOMAIN",
    ),
    "no name server": (
        EVIL.replace(UNNAMED, zones.HOSTILE["85-silence"][0]),
        504,
        "DNS_TIMEOUT",
    ),
    "public": (
        EVIL.replace(UNNAMED, zones.ROUTES["R1"][0]),
        403,
        "PUBLIC_ADDRESS",
    ),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_refusal_is_the_same_in_every_place(agent, case):
    head, status, code = HEADS[case]
    (answer,) = agent.probe({"host": "-", "head": head})
    assert answer["status"] == status
    reason, fields = answer["reason"], answer["fields"]
    body = json.loads(answer["body"])
    assert reason == f"Denied {code} id={body['id']}"
    assert len(reason) <= 60
    assert reason.isascii()
    assert ID.match(body["id"])
    assert fields["content-type"] == "application/problem+json"
    assert int(fields["content-length"]) == len(answer["body"].encode())
    assert fields["cache-control"] == "no-store"
    assert fields["connection"] == "close"
    assert re.fullmatch(
        rf'wayleave; error=[a-z_]+; details="{code}"', fields["proxy-status"]
    )
    assert list(body) == MEMBERS
    assert body["type"] == f"urn:wayleave:reason:{code}"
    assert (body["code"], body["status"]) == (code, status)
    assert list(body["error"]) == ["code", "message"]
    assert body["error"]["code"] == code
    assert body["id"] in body["error"]["message"]
    record = agent.last_record()
    assert (record["id"], record["code"]) == (body["id"], code)
    assert (record["event"], record["verdict"]) == ("request", "deny")
    assert record["status"] == status
    assert record["path"] is None or "?" not in record["path"]
    assert body["id"] in agent.journal()
    past = agent.cli("why", body["id"])
    assert past.code == 1
    assert code in past.out


def test_a_head_request_has_no_body(agent):
    head = plain(f"http://{UNNAMED}/", method="HEAD")
    code = (
        "import socket\n"
        "s = socket.create_connection(('127.0.0.1', 3180))\n"
        f"s.sendall({head!r}.encode())\n"
        "d = b''\n"
        "while x := s.recv(4096): d += x\n"
        "print(d.decode().partition('\\r\\n\\r\\n')[2] == '')\n"
    )
    result = agent.lab.run_as("alice", ["/usr/bin/python3", "-c", code])
    assert result.out == "True\n"


def test_equal_refusals_share_their_id_for_ten_seconds(agent):
    host = "shared.lab.example"
    head = EVIL.replace(UNNAMED, host)
    request = {"host": "-", "head": head}
    journal = agent.journal().count(f"{host}:443")
    start = time.monotonic()
    answers = agent.probe(request, request, request)
    first = {json.loads(a["body"])["id"] for a in answers}
    (other,) = agent.probe(request, user="bob")
    assert len(first) == 1
    assert json.loads(other["body"])["id"] not in first
    found = [r for r in agent.records() if r.get("host") == host]
    assert len(found) == 4
    assert len({r["seq"] for r in found}) == 4
    # Once for each of the two: the journal folds, the audit never.
    assert agent.journal().count(f"{host}:443") == journal + 2
    time.sleep(max(0, start + 11 - time.monotonic()))
    (later,) = agent.probe(request)
    assert json.loads(later["body"])["id"] not in first


SECRETS = [names.PUBLIC, names.CASES_ADDRESS, "10.20.", names.STRANGER]
SECRETS += ["bob", "jobs", names.OWN]


def test_bodies_hold_no_address_and_no_other_workload(agent):
    hosts = [h for h, _ in zones.ROUTES.values()]
    hosts += [h for h, _ in zones.HOSTILE.values()]
    hosts += [names.ACCT2, zones.PLAIN_HOSTS[1]]
    for answer in agent.probe(*({"host": h} for h in hosts)):
        body = json.loads(answer["body"]) if answer.get("body") else {}
        # Rule ids may be named, whatever their words are.
        text = json.dumps(body).replace(body.get("rule_near") or "\0", "")
        for secret in SECRETS:
            assert secret not in text, body


def test_the_fix_says_what_is_missing(agent):
    for case, words in {
        "R1": ["private endpoint", "privatelink.blob.core.windows.net"],
        "R2": ["link the private DNS zone", '"r2"'],
        "R4": ["add the record", '"r4"', "privatelink.blob.core.windows.net"],
    }.items():
        (answer,) = agent.probe({"host": zones.ROUTES[case][0]})
        fix = json.loads(answer["body"])["fix"]
        for word in words:
            assert word in fix


SOCKS = """
import json, socket, sys
for sends in json.load(sys.stdin):
    with socket.create_connection(("127.0.0.1", 3180)) as s:
        s.settimeout(10)
        got = b""
        for text in sends:
            s.sendall(bytes.fromhex(text))
            got = s.recv(64)
        print(got.hex())
"""


def socks(agent, *orders):
    result = agent.lab.run_as(
        "alice",
        ["/usr/bin/python3", "-c", SOCKS],
        stdin=json.dumps(orders),
        timeout_s=120,
    )
    assert result.code == 0, result
    return [bytes.fromhex(x) for x in result.out.splitlines()]


def by_name(host, port=443, command=1, hello="050100"):
    name = host.encode().hex()
    ask = f"05{command:02x}0003{len(host):02x}{name}{port:04x}"
    return [hello, ask]


REPLIES = {
    "allowed": (by_name(names.ACCT1), 0),
    "policy": (by_name(UNNAMED), 2),
    "route": (by_name(zones.ROUTES["R1"][0]), 2),
    "literal": (["050100", "050100010a14000501bb"], 2),
    "unreachable": (by_name(zones.ROUTES["R9"][0]), 3),
    "dns": (by_name(zones.ROUTES["R4"][0]), 4),
    "dns silent": (by_name(zones.HOSTILE["85-silence"][0]), 4),
    "bind": (by_name(names.ACCT1, command=2), 7),
    "udp": (by_name(names.ACCT1, command=3), 7),
    "address type": (["050100", "0501000261626364" + "01bb"], 8),
}


@pytest.mark.parametrize("case", REPLIES)
def test_socks_replies(agent, case):
    order, code = REPLIES[case]
    (reply,) = socks(agent, order)
    assert reply == bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0])


def test_socks_says_refused_and_timed_out(agent):
    policy = lab_daemon.policy()
    closed = {"hosts": [zones.WEB], "ports": [9], "route": "private-address"}
    policy["rules"].append({"id": "closed", "effect": "allow", **closed})
    agent.reload(policy)
    try:
        (reply,) = socks(agent, by_name(zones.WEB, 9))
        assert reply[1] == 5
    finally:
        agent.reload(lab_daemon.policy())


def test_socks_prefers_no_method_and_ignores_a_password(agent):
    (both,) = socks(agent, ["05020200"])
    assert both == b"\x05\x00"
    (only,) = socks(agent, ["050102"])
    assert only == b"\x05\x02"
    secret = b"pass-" + b"w0rd-1"
    login = b"\x01\x05alice" + bytes([len(secret)]) + secret
    order = ["050102", login.hex(), by_name(UNNAMED)[1]]
    (reply,) = socks(agent, order)
    assert reply[1] == 2
    assert secret.decode() not in agent.journal()
    assert secret.decode() not in agent.lab.read(lab_daemon.AUDIT)
    (none,) = socks(agent, ["050101"])
    assert none == b"\x05\xff"


ALERT = b"\x15\x03\x03\x00\x02\x02\x70".decode("latin-1")
FLIGHTS = {
    "SNI_MISMATCH": names.VAULT,
    "SNI_MISSING": None,
    "NOT_TLS": "",
}
HELLO = """
import socket, ssl, sys
def hello(name):
    i, o = ssl.MemoryBIO(), ssl.MemoryBIO()
    c = ssl.create_default_context()
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    t = c.wrap_bio(i, o, server_hostname=name)
    try:
        t.do_handshake()
    except ssl.SSLWantReadError:
        return o.read()
name, port, sni = sys.argv[1], sys.argv[2], sys.argv[3]
s = socket.create_connection(("127.0.0.1", 3180))
s.sendall(f"CONNECT {name}:{port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
head = b""
while not head.endswith(b"\\r\\n\\r\\n"):
    head += s.recv(1)
s.sendall(b"SSH-2.0-x\\r\\n" if sni == "-" else hello(sni or None))
data = b""
try:
    while x := s.recv(4096):
        data += x
except ConnectionError as e:
    print(e)
print(head.split()[1].decode(), data.hex())
"""


@pytest.mark.parametrize("code", FLIGHTS)
@pytest.mark.parametrize("port", [443, 80])
def test_the_first_flight_is_refused_after_the_200(agent, code, port):
    sni = {"SNI_MISMATCH": names.VAULT, "SNI_MISSING": "", "NOT_TLS": "-"}
    host = zones.WEB if port == 80 else names.ACCT1
    argv = ["/usr/bin/python3", "-c", HELLO, host, str(port), sni[code]]
    before = len(agent.records())
    result = agent.lab.run_as("alice", argv)
    alert = "" if code == "NOT_TLS" else ALERT.encode("latin-1").hex()
    assert result.out.split() == ["200", alert][: 2 if alert else 1]
    opened, ended = agent.news(before)
    assert (opened["event"], opened["verdict"]) == ("open", "allow")
    assert (ended["event"], ended["verdict"]) == ("request", "deny")
    assert ended["code"] == code
    assert ended["id"] == opened["id"]
    assert ended["bytes_up"] == 0


def test_faults_after_the_verdict_are_allow_with_their_code(agent):
    policy = lab_daemon.policy()
    closed = {"hosts": [zones.ECHO], "ports": [9, services.ECHO_PORT]}
    policy["rules"].append(
        {
            "id": "closed",
            "effect": "allow",
            "route": "private-address",
            **closed,
        }
    )
    agent.reload(policy)
    try:
        (answer,) = agent.probe({"host": zones.ECHO, "port": 9})
        assert answer["status"] == 502
        record = agent.last_record()
        assert record["code"] == "CONNECT_REFUSED"
        assert record["verdict"] == "allow"
        assert json.loads(answer["body"])["retry"] is True
    finally:
        agent.reload(lab_daemon.policy())
    (answer,) = agent.probe({"host": zones.ROUTES["R4"][0]})
    assert agent.last_record()["verdict"] == "deny"


def test_limits_say_when_to_come_again(agent):
    config = json.loads(json.dumps(lab_daemon.CONFIG))
    config["limits"] = {"connections": 1}
    code = (
        "import socket\n"
        f"h = {EVIL.replace(UNNAMED, names.ACCT1)!r}.encode()\n"
        "a = socket.create_connection(('127.0.0.1', 3180))\n"
        "a.sendall(h)\n"
        "assert b' 200 ' in a.recv(200)\n"
        "b = socket.create_connection(('127.0.0.1', 3180))\n"
        "b.sendall(h)\n"
        "print(b.recv(4096).decode())\n"
    )
    try:
        agent.write(config=config)
        agent.kill(1)
        time.sleep(0.5)
        argv = ["/usr/bin/python3", "-c", code]
        out = agent.lab.run_as("alice", argv).out
    finally:
        agent.write(config=lab_daemon.CONFIG)
        agent.kill(1)
        time.sleep(0.5)
    assert out.startswith("HTTP/1.1 503 Denied LIMIT_REACHED id=")
    assert re.search(r"\r?\nRetry-After: \d+\r?\n", out)
