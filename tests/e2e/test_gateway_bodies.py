"""Bodies through gateways: in the framing in which they are sent, whole, at
once, in constant memory, and beside reloads."""

import json

import pytest

from lab import gateways, names, paths, seen
from lab.gateways import chunks, head

CHUNKED = "Transfer-Encoding: chunked"
MIB = 1 << 20
BIG = (1024 if paths.FULL else 64) * MIB

FRAMED = {
    "HEAD": head("HEAD /bytes/1000"),
    "length": head("GET /bytes/1000"),
    "chunks": head("GET /chunked/1000"),
    "clean end": head("GET /close/1000"),
    "length up": head("PUT /x", "Content-Length: 3") + "abc",
    "chunks up": head("PUT /x", CHUNKED) + chunks("X-Last: 1"),
    "no body": head("POST /x", "Content-Length: 0"),
    "expect": head("PUT /x", "Expect: 100-continue", "Content-Length: 3")
    + "abc",
    "not expected": head(
        "PUT /no-body", "Expect: 100-continue", "Content-Length: 3"
    ),
    "nothing to say": head("GET /status/204"),
}


@pytest.fixture(scope="module")
def framed(gates):
    gates.lab.call("seen")
    plays = [("seen", [["send", x], ["all"]]) for x in FRAMED.values()]
    answers = gates.play(*plays)
    noted = gates.lab.call("seen")
    return {
        name: (answer, {k.lower(): v for k, v in n["fields"]}, n)
        for name, answer, n in zip(FRAMED, answers, noted, strict=True)
    }


def test_a_body_comes_in_the_framing_of_the_origin(framed):
    answer, _, _ = framed["HEAD"]
    assert (answer.fields["content-length"], answer.body) == ("1000", "")
    answer, _, _ = framed["length"]
    assert answer.fields["content-length"] == "1000"
    assert len(answer.body) == 1000
    answer, _, _ = framed["chunks"]
    assert answer.fields["transfer-encoding"] == "chunked"
    assert answer.body.endswith("\r\n0\r\n\r\n")
    answer, _, _ = framed["clean end"]
    assert answer.status == 200
    assert answer.ended == "eof"
    if answer.fields.get("transfer-encoding") == "chunked":
        assert answer.body.endswith("\r\n0\r\n\r\n")
    answer, _, _ = framed["nothing to say"]
    assert (answer.status, answer.body) == (204, "")


def test_a_body_goes_in_the_framing_of_the_client(framed):
    for name in ("length up", "expect"):
        answer, fields, noted = framed[name]
        assert 200 in answer.statuses(), name
        assert fields["content-length"] == "3"
        assert "transfer-encoding" not in fields
        assert noted["bytes"] == 3
    _, fields, noted = framed["chunks up"]
    assert fields["transfer-encoding"] == "chunked"
    assert "content-length" not in fields
    assert noted["bytes"] == 3
    _, fields, _ = framed["no body"]
    assert fields["content-length"] == "0"


def test_an_origin_that_wants_no_body_says_so_first(framed):
    answer, _, noted = framed["not expected"]
    assert answer.statuses() == [417]
    assert noted["bytes"] == 0


def test_the_client_waits_for_100_continue_and_gets_it(gates):
    top = head("PUT /x", "Expect: 100-continue", "Content-Length: 3")
    steps = [["send", top], ["head"], ["send", "abc"], ["all"]]
    (answer,) = gates.play(("seen", steps))
    assert answer.statuses() == [100, 200]


def test_a_cut_is_never_taken_for_an_end(gates):
    answer = gates.say(head("GET /cut/1000"))
    whole = answer.body.endswith("\r\n0\r\n\r\n")
    chunked = answer.fields.get("transfer-encoding") == "chunked"
    cut = answer.ended in ("reset", "cut")
    assert cut or (chunked and not whole), answer
    _, final = gates.ended("/cut/1000")
    assert final["code"] == "UPSTREAM_RESET"


# Prints when each piece came, in seconds from the first.
EVENTS = """
import http.client, sys, time
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
c.request("GET", "/events/4")
a = c.getresponse()
first = None
while line := a.readline():
    if line.strip():
        first = first or time.monotonic()
        print(round(time.monotonic() - first, 2), line.decode().strip())
"""


def test_events_come_one_by_one(gates):
    port = gateways.PORTS["seen"]
    told = gates.lab.python_as("alice", EVENTS, port)
    times = [float(x.split()[0]) for x in told.out.splitlines()]
    assert len(times) == 4, told
    # The origin says one each EVENT_S: held back, they come together.
    assert times[-1] > seen.EVENT_S, told


# One body up and one down; a digest of what came back, how it was answered.
BIG_BODIES = """
import hashlib, http.client, json, sys
port, n = int(sys.argv[1]), int(sys.argv[2])
piece = bytes(range(256)) * 256
def body():
    for _ in range(n // len(piece)):
        yield piece
c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
c.request("PUT", "/up", body(), {"Content-Length": str(n)})
up = json.loads(c.getresponse().read())
c.request("PUT", "/up", body(), encode_chunked=True)
chunked = json.loads(c.getresponse().read())
c.request("GET", f"/bytes/{n}")
a, seen = c.getresponse(), hashlib.sha256()
while data := a.read(65536):
    seen.update(data)
print(json.dumps([up["sha256"], chunked["sha256"], seen.hexdigest()]))
"""
GROWTH_KIB = 24 << 10


def resident_kib(gates):
    argv = ["grep", "VmHWM", f"/proc/{gates.agent.pid}/status"]
    return int(gates.lab.run_as("root", argv).out.split()[1])


def test_big_bodies_come_whole_in_constant_memory(gates):
    before = resident_kib(gates)
    port = gateways.PORTS["seen"]
    told = gates.lab.python_as(
        "alice", BIG_BODIES, port, str(BIG), timeout_s=300
    )
    assert json.loads(told.out or "null") == [seen.digest(BIG)] * 3, told
    assert resident_kib(gates) - before < GROWTH_KIB


# Reads slowly, so that reloads fall into it.
SLOW = """
import hashlib, http.client, sys, time
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
c.request("GET", f"/bytes/{sys.argv[2]}")
a, seen, n = c.getresponse(), hashlib.sha256(), 0
while data := a.read(65536):
    seen.update(data)
    n += len(data)
    if n % (1 << 20) < len(data):
        time.sleep(0.1)
print(seen.hexdigest())
"""
IDLE = [["send", head("GET /x", to="prefixed", close=False)]]
IDLE += [["head"], ["some"], ["all"]]


def test_a_reload_adds_and_removes_gateways_beside_others_bytes(gates):
    n = 24 * MIB
    argv = [paths.PYTHON, "-c", SLOW, gateways.PORTS["seen"], n]
    slow = gates.lab.start_as("alice", argv, log="slow.log")
    changed = gateways.config()
    more = {"name": "late", "listen": "127.0.0.1:3089"}
    more["upstream"] = f"https://{names.SEEN}"
    changed["gateways"] = [more] + [
        g for g in changed["gateways"] if g["name"] != "prefixed"
    ]
    try:
        for _ in range(3):
            gates.reload(changed)
            late = gates.say(head("GET /late", host="127.0.0.1:3089"), to=3089)
            assert late.status == 200, late
            gone = gates.say(head("GET /x", to="prefixed"), "prefixed")
            assert gone.text == "", gone
            gates.reload(gateways.config())
            back = gates.say(head("GET /x", to="prefixed"), "prefixed")
            assert back.status == 200, back
    finally:
        gates.reload(gateways.config())
    assert gates.lab.call("wait", pid=slow, timeout_s=30) == 0
    assert gates.lab.read(paths.STATE / "slow.log").strip() == seen.digest(n)
