"""Gateways: plain HTTP in, verified TLS out, the token added at the exit."""

import json
import re
import time

import pytest

from corpora import http1, responses
from corpora.drive import replay
from lab import gateways, names, paths, seen
from lab.gateways import PLACEHOLDER, chunks, head

ALICE = f"alice {names.SEEN_AUDIENCE}"
BEARER = f"Authorization: Bearer {PLACEHOLDER}"
CHUNKED = "Transfer-Encoding: chunked"


# First, while there is no token yet.
def test_without_a_credential_nothing_reaches_the_origin(gates, imds):
    imds("400", resource=gateways.COLD_AUDIENCE)
    gates.lab.call("seen")
    answer = gates.say(head("GET /cold", to="cold"), "cold")
    assert (answer.status, answer.code) == (503, "CREDENTIAL_UNAVAILABLE")
    assert int(answer.fields["retry-after"]) >= 1
    assert gates.lab.call("seen") == []


def test_the_origin_gets_the_minted_token_alone(gates):
    gates.lab.call("seen")
    answer = gates.say(head("GET /a/b?c=%20d", "X-Other: 1", "Accept: */*"))
    assert answer.status == 200, answer
    (noted,) = gates.lab.call("seen")
    assert noted["line"] == "GET /a/b?c=%20d HTTP/1.1"
    assert noted["authorization"] == [ALICE]
    fields = [(k.lower(), v) for k, v in noted["fields"]]
    assert [v for k, v in fields if k == "host"] == [names.SEEN]
    assert ("x-other", "1") in fields
    assert noted["tls"] == "TLSv1.3"


PASSING = {
    "placeholder": head("GET @", BEARER),
    "localhost": head("GET @", host="localhost:3193"),
    "from the same origin": head("GET @", "Sec-Fetch-Site: same-origin"),
    "from a page of its own": head("GET @", "Origin: http://127.0.0.1:3193"),
    "typed by a person": head("GET @", "Sec-Fetch-Site: none"),
    "proxy's credential": head("GET @", "Proxy-Authorization: Basic eA=="),
    "nominated fields": head(
        "GET @", "X-Mine: 1", "Connection: x-mine, close", close=False
    ),
}


def test_what_may_pass_does_with_the_one_token(gates):
    for name, (answer, noted) in gates.each(PASSING).items():
        assert answer.status == 200, (name, answer)
        assert [n["authorization"] for n in noted] == [[ALICE]], (name, noted)
        fields = {k.lower() for k, _ in noted[0]["fields"]}
        assert not fields & {"x-mine", "proxy-authorization", "connection"}


OWN = {
    "bearer": head("GET @", "Authorization: Bearer x"),
    "basic": head("GET @", "Authorization: Basic eA=="),
    "SharedKey": head("GET @", "Authorization: SharedKey acct1:c2ln"),
    "empty": head("GET @", "Authorization:"),
    "odd case": head("GET @", "aUTHORIZATION: Bearer x"),
    "tab": head("GET @", "Authorization:\tBearer x"),
    "placeholder twice": head("GET @", BEARER, BEARER),
    "placeholder first": head("GET @", BEARER, "Authorization: Bearer x"),
    "placeholder last": head("GET @", "Authorization: Bearer x", BEARER),
    "placeholder and more": head("GET @", BEARER + "x"),
    "placeholder cut": head("GET @", BEARER[:-1]),
    "list": head("GET @", BEARER + ", Bearer x"),
    "other scheme": head("GET @", f"Authorization: Basic {PLACEHOLDER}"),
    "nominated": head(
        "GET @",
        "Authorization: Bearer x",
        "Connection: authorization, close",
        close=False,
    ),
    "nominated in odd case": head(
        "GET @",
        "Connection: AuthoRization, close",
        "Authorization: Bearer x",
        close=False,
    ),
    "announced trailer": head("POST @", CHUNKED, "Trailer: authorization")
    + chunks("Authorization: Bearer x"),
    "trailer": head("POST @", CHUNKED) + chunks("Authorization: Bearer x"),
    "trailer in odd case": head("POST @", CHUNKED)
    + chunks("X-A: 1", "AUTHORIZATION: Bearer x"),
}


def test_a_credential_of_the_clients_own_is_refused(gates):
    for name, (answer, noted) in gates.each(OWN).items():
        assert answer.status == 403, (name, answer)
        assert answer.code == "AUTHORIZATION_PRESENT", name
        assert noted == [], name


HOST = names.SEEN
MALFORMED = {
    "folded": head("GET @", "Authorization:", " Bearer x"),
    "folded after": head("GET @", "X-A: 1", " Authorization: Bearer x"),
    "space before colon": head("GET @", "Authorization : Bearer x"),
    "NUL in name": head("GET @", "Author\x00ization: Bearer x"),
    "NUL in value": head("GET @", "Authorization: Bearer\x00x"),
    "bare LF": head("GET @", "X-A: 1\nAuthorization: Bearer x"),
    "bare CR": head("GET @", "X-A: 1\rAuthorization: Bearer x"),
    "nominated host": head("GET @", "Connection: host"),
    "upstream's host": head("GET @", host=HOST),
    "any host": head("GET @", host="evil.example"),
    "host without port": head("GET @", host="127.0.0.1"),
    "other gateway's host": head("GET @", host="127.0.0.1:3194"),
    "port with more": head("GET @", host="127.0.0.1:3193x"),
    "number for address": head("GET @", host="2130706433:3193"),
    "rebound name": head("GET @", host="localhost.evil.example:3193"),
    "no host": head("GET @", host=""),
    "two hosts": head("GET @", f"Host: {HOST}"),
    "page of another site": head("GET @", "Sec-Fetch-Site: cross-site"),
    "page of the same site": head("GET @", "sec-fetch-site: same-site"),
    "script of another site": head("GET @", "Origin: https://evil.example"),
    "script of no site": head("GET @", "Origin: null"),
    "absolute form": head(f"GET https://{HOST}@"),
    "absolute form here": head("GET http://127.0.0.1:3193@"),
    "CONNECT": head(f"CONNECT {HOST}:443", host=f"{HOST}:443"),
    "asterisk": head("OPTIONS *"),
    "dot segments": head("GET /x/..@"),
    "hidden dot segments": head("GET /x/%2e%2E@"),
    "dot segments below a slash": head("GET /x%2f..%2f..@"),
    "backslash": head("GET /x\\..@"),
    "NUL": head("GET /x%00@"),
    "both framings": head("POST @", CHUNKED, "Content-Length: 3") + "abc",
    "coding twice": head("POST @", CHUNKED, CHUNKED) + chunks(),
    "two lengths": head("POST @", "Content-Length: 3", "Content-Length: 4"),
    "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "SOCKS5": "\x05\x01\x00",
}


def test_doubtful_requests_never_leave_the_gateway(gates):
    for name, (answer, noted) in gates.each(MALFORMED).items():
        assert noted == [], name
        assert answer.status in (400, 403, 501, 505, None), (name, answer)
        if name != "SOCKS5":
            assert answer.code, (name, answer)
        assert len(answer.statuses()) <= 1, (name, answer)


def test_each_request_of_a_connection_is_judged(gates):
    gates.lab.call("seen")
    answer = gates.say(
        head("GET /one", close=False)
        + head("POST /two", "Content-Length: 3", close=False)
        + "abc"
        + head("GET /three", "Authorization: Bearer x", close=False)
        + head("GET /four")
    )
    assert answer.statuses() == [200, 200, 403]
    noted = gates.lab.call("seen")
    assert [n["line"].split()[1] for n in noted] == ["/one", "/two"]
    assert [n["authorization"] for n in noted] == [[ALICE]] * 2


def test_a_unix_socket_takes_any_host_and_tells_the_pid(gates):
    argv = ["curl", "-sS", "--unix-socket", gateways.SEEN_SOCKET]
    argv += ["-o", "/dev/null", "-w", "%{http_code}", "http://any/by-socket"]
    assert gates.lab.run_as("alice", argv).out == "200"
    opened, _ = gates.ended("/by-socket")
    assert opened["listener"] == f"unix:{gateways.SEEN_SOCKET}"
    assert opened["workload"]["pid"] > 1


def test_the_upstreams_path_comes_first(gates):
    gates.lab.call("seen")
    answer = gates.say(head("GET /a?b", to="prefixed"), "prefixed")
    assert answer.status == 200, answer
    (noted,) = gates.lab.call("seen")
    assert noted["line"] == "GET /some/prefix/a?b HTTP/1.1"
    gates.ended("/some/prefix/a")
    answer = gates.say(head("GET /../a", to="prefixed"), "prefixed")
    assert answer.status == 400, answer


def test_a_rule_without_injection_passes_what_the_client_sent(gates):
    field = "Authorization: Bearer of-the-client"
    answer = gates.say(head("GET /x", field, to="bare"), "bare")
    fields = dict(answer.json["headers"])
    assert fields["Authorization"] == "Bearer of-the-client"


def test_an_allowed_request_has_two_records_that_say_what_was_added(gates):
    answer = gates.say(head("PUT /noted?secret=1", "Content-Length: 2") + "ab")
    assert answer.status == 200, answer
    opened, final = gates.ended("/noted")
    assert opened["id"] == final["id"]
    for record in (opened, final):
        assert record["protocol"] == "gateway"
        assert record["listener"] == "127.0.0.1:3193"
        assert (record["verdict"], record["rule"]) == ("allow", "seen")
        assert record["method"] == "PUT"
        assert (record["host"], record["port"]) == (names.SEEN, 443)
        assert record["workload"]["user"] == "alice"
        assert record["injected"]["identity"] == "alice"
        assert record["injected"]["audience"] == names.SEEN_AUDIENCE
        assert re.fullmatch("[0-9a-f]{12}", record["injected"]["token_id"])
    assert final["tls"].startswith("TLSv1.3")
    assert final["status"] == 200
    assert final["close"] == "done"
    assert "secret" not in json.dumps([opened, final])


DENIED = {
    "unnamed": ("alice", "HOST_NOT_ALLOWED"),
    "public": ("alice", "PUBLIC_ADDRESS"),
    "seen": ("bob", "WORKLOAD_NOT_ALLOWED"),
}


@pytest.mark.parametrize("to", DENIED)
def test_a_person_reads_why_it_was_refused(gates, untouched, to):
    user, code = DENIED[to]
    url = f"http://127.0.0.1:{gateways.PORTS[to]}/denied-{to}"
    told = gates.lab.run_as(user, ["curl", "-sSi", url]).out
    top, _, body = told.replace("\r", "").partition("\n\n")
    body = json.loads(body)
    assert f"403 Denied {code} id={body['id']}" in top.splitlines()[0]
    assert body["code"] == body["error"]["code"] == code
    (last,) = [r for r in gates.agent.news() if r["id"] == body["id"]]
    assert last["code"] == code
    assert (last["protocol"], last["event"]) == ("gateway", "request")
    assert last["injected"] is None


def test_a_host_with_a_token_has_no_plain_way(gates):
    """What tunnels there are is said in test_inspection.py."""
    gates.lab.call("seen")
    before = len(gates.agent.records())
    line = f"GET http://{names.SEEN}:443/ HTTP/1.1\r\n"
    text = f"{line}Host: {names.SEEN}:443\r\n\r\n"
    asked = {"host": names.SEEN, "port": 443, "head": text}
    (answer,) = gates.agent.probe(asked)
    assert answer["status"] == 403, answer
    (last,) = gates.agent.news(before)
    assert (last["host"], last["verdict"]) == (names.SEEN, "deny")
    assert gates.lab.call("seen") == []


def expected_proof(port):
    _, versions, good = seen.PROOFS[port]
    if good:
        return None
    return "TLS_FAILED" if versions else "TLS_CERTIFICATE"


@pytest.fixture(scope="module")
def proved(gates):
    """port -> (answer of its gateway, what the origin noted)."""
    asked = [p for p in seen.PROOFS if f"proof-{p}" in gateways.PORTS]
    gates.lab.call("seen")
    answers = gates.play(
        *(
            (f"proof-{p}", [["send", head("GET /", to=f"proof-{p}")], ["all"]])
            for p in asked
        )
    )
    noted = gates.lab.call("seen")
    return {
        port: (answer, [n for n in noted if n["port"] == port])
        for port, answer in zip(asked, answers, strict=True)
    }


@pytest.mark.parametrize(
    "port",
    [p for p in seen.PROOFS if f"proof-{p}" in gateways.PORTS],
    ids=lambda p: f"{seen.PROOFS[p][0]}-{p}".replace(" ", "-"),
)
def test_only_a_proof_of_the_name_gets_the_token(gates, proved, port):
    answer, noted = proved[port]
    code = expected_proof(port)
    assert answer.status == (502 if code else 200), answer
    assert answer.code == code
    who = f"alice {gateways.PROOFS_AUDIENCE}"
    found = [n["authorization"] for n in noted]
    assert found == ([] if code else [[who]])
    record = gates.agent.finals(port=port, protocol="gateway")[-1]
    assert record["verdict"] == "allow"
    assert record.get("code") == code


OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
# What a broken or hostile upstream does, and the codes that fit.
HOSTILE = {
    "never shakes hands": ([["wait", 4]], {"TLS_FAILED"}),
    "is not TLS": ([["some"], ["send", OK], ["all"]], {"TLS_FAILED"}),
    "talks first": ([["send", "220 hello\r\n"], ["all"]], {"TLS_FAILED"}),
    "ends the handshake": ([["some"], ["close"]], {"TLS_FAILED"}),
    "resets the handshake": ([["some"], ["reset"]], {"TLS_FAILED"}),
    "ends": ([["tls"], ["close"]], {"UPSTREAM_RESET"}),
    "resets": ([["tls"], ["head"], ["reset"]], {"UPSTREAM_RESET"}),
    "ends in its head": (
        [["tls"], ["head"], ["send", OK[:30]], ["close"]],
        {"UPSTREAM_RESET"},
    ),
    "says no HTTP": (
        [["tls"], ["head"], ["send", "hello\r\n\r\n"], ["close"]],
        {"UPSTREAM_PROTOCOL"},
    ),
    "switches protocols": (
        [
            ["tls"],
            ["head"],
            ["send", "HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n"],
            ["close"],
        ],
        {"UPSTREAM_PROTOCOL"},
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_upstream_gets_one_refusal_told(gates, case):
    steps, codes = HOSTILE[case]
    gates.lab.call("origin", plays=[steps])
    before = len(gates.agent.records())
    answer = gates.say(head("GET /x", to="faulty"), "faulty")
    assert answer.status in (502, 504), answer
    assert answer.code in codes
    last = [r for r in gates.agent.news(before) if r["path"] == "/x"][-1]
    assert (last["code"], last["verdict"]) == (answer.code, "allow")


def test_what_an_upstream_says_too_much_answers_nobody(gates):
    evil = OK.replace("ok", "no")
    said = [["tls"], ["head"], ["send", OK + evil], ["all"]]
    gates.lab.call("origin", plays=[said])
    top = head("GET /1", to="faulty", close=False)
    steps = [["send", top], ["head"], ["read", 2], ["wait", 0.2]]
    steps += [["send", head("GET /2", to="faulty")], ["all"]]
    (answer,) = gates.play(("faulty", steps))
    assert answer.body.startswith("ok")
    assert "\r\n\r\nno" not in answer.text


# How the bytes come: see test_corpora.py.
MODES = [("strict", 0)]
if paths.FULL:
    MODES += [("lenient", 0), ("lenient", 1), ("strict", 1), ("strict", 3)]


@pytest.fixture(scope="module", params=MODES, ids=lambda m: f"{m[0]}-{m[1]}")
def replayed(request, gates):
    """The corpora, said to a gateway: {group: [what went wrong]}."""
    origin, piece = request.param
    words = ["--gateway", "--piece", str(piece)]
    words += ["--lenient"] if origin == "lenient" else []
    how = {
        "proxy": f"127.0.0.1:{gateways.PORTS['corpora']}",
        "port": gateways.CORPORA_PORT,
    }
    return {
        kind: replay(gates.lab, kind, *words, **how)
        for kind in ("requests", "responses")
    }


@pytest.mark.parametrize("group", http1.GROUPS)
def test_a_gateway_passes_requests_in_one_reading(replayed, group):
    assert replayed["requests"][group] == []


@pytest.mark.parametrize("group", responses.GROUPS)
def test_hostile_responses_do_not_poison_a_gateway(replayed, group):
    assert replayed["responses"][group] == []


# Makes calls, then stays to be looked at.
HOLDER = """
import http.client, sys, time
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
for i in range(20):
    c.request("GET", f"/held-{i}")
    assert c.getresponse().read()
held = sys.argv[2:] and open(sys.argv[2]).read()
print("ready", flush=True)
time.sleep(60)
"""


def held(gates, *words):
    """How many pieces of tokens a workload has in its memory."""
    azure = gates.lab
    log = f"holder-{len(words)}.log"
    argv = [paths.PYTHON, "-c", HOLDER, gateways.PORTS["seen"], *words]
    pid = azure.start_as("alice", argv, log=log)
    try:
        end = time.monotonic() + 10
        while "ready" not in azure.read(paths.STATE / log):
            assert time.monotonic() < end, azure.read(paths.STATE / log)
            time.sleep(0.02)
        return azure.call("held", pid=pid)
    finally:
        azure.call("signal", pid=pid, number=9)


def test_a_workload_that_calls_holds_no_byte_of_a_token(gates):
    assert held(gates) == 0
    token = gates.lab.call("mint", resource="https://planted.example")
    planted = "/run/wayleave-lab/home/planted.txt"
    gates.lab.write(planted, token, owner="alice")
    assert held(gates, planted) > 0
    gates.lab.write(planted, "")


def test_no_token_stays_in_files_environments_or_logs(gates):
    assert gates.lab.call("leaks") == []
