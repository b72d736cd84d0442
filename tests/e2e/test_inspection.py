"""Inspected tunnels: the agent's own certificate, then what holds of a
gateway; tunnels that nobody has to look into stay shut."""

import json
import re

import pytest
import test_gateway as plain
import test_gateway_bodies as bodies
import test_gateway_requests as rules

from corpora import http1, responses
from corpora.drive import replay
from lab import gateways, names, paths, seen
from lab.gateways import head


@pytest.fixture(scope="module")
def inside(gates):
    return gateways.Tunnels(gates.agent)


@pytest.mark.parametrize(
    "test",
    [
        plain.test_the_origin_gets_the_minted_token_alone,
        plain.test_a_credential_of_the_clients_own_is_refused,
        plain.test_each_request_of_a_connection_is_judged,
        bodies.test_a_cut_is_never_taken_for_an_end,
        plain.test_what_an_upstream_says_too_much_answers_nobody,
        bodies.test_the_client_waits_for_100_continue_and_gets_it,
    ],
    ids=lambda t: t.__name__[5:],
)
def test_a_tunnel_keeps_to_what_a_gateway_does(inside, test):
    test(inside)


@pytest.mark.parametrize("case", plain.HOSTILE)
def test_a_hostile_upstream_gets_one_refusal_told(inside, case):
    plain.test_a_hostile_upstream_gets_one_refusal_told(inside, case)


@pytest.fixture(scope="module")
def ruled(inside):
    inside.reload(rules=gateways.ruled())
    yield inside
    inside.reload(rules=gateways.policy())


@pytest.mark.parametrize("code", rules.REFUSED)
def test_what_a_rule_forbids_never_leaves(ruled, code):
    rules.test_what_a_rule_forbids_never_leaves(ruled, code)


@pytest.mark.parametrize(
    "test",
    [
        rules.test_what_a_rule_lets_through_arrives,
        rules.test_a_path_with_two_readings_never_decides,
        rules.test_where_a_token_is_added_no_other_grant_passes,
    ],
    ids=lambda t: t.__name__[5:],
)
def test_rules_on_requests_hold_inside(ruled, test):
    test(ruled)


# A Host or a target that is not the tunnel's.
STRANGE = {
    "any host": head("GET @", host="evil.example"),
    "another of ours": head("GET @", host=names.PROOFS),
    "another port": head("GET @", host=f"{names.SEEN}:8443"),
    "no host": head("GET @", host=""),
    "two hosts": head("GET @", f"Host: {names.SEEN}", host=names.SEEN),
    "absolute form": head("GET https://evil.example@", host="evil.example"),
    "plain absolute form": head(f"GET http://{names.SEEN}@", host=names.SEEN),
    "CONNECT": head(f"CONNECT {names.PROOFS}:443", host=f"{names.PROOFS}:443"),
    "asterisk": head("OPTIONS *"),
}
OTHERS = ("host", "form", "page of", "script of", "CONNECT", "asterisk")
STRANGE |= {
    name: text
    for name, text in plain.MALFORMED.items()
    if not any(word in name for word in OTHERS)
    and name not in ("number for address", "rebound name")
}


def test_doubtful_requests_never_leave_the_tunnel(inside):
    for name, (answer, noted) in inside.each(STRANGE).items():
        assert noted == [], name
        assert answer.status in (400, 403, 405, 501, 505, None), (name, answer)
        assert len(answer.statuses()) <= 1, (name, answer)


def test_only_a_proof_of_the_name_gets_the_token(inside):
    """The client sees our own proof; the upstream's is seen by the agent."""
    asked = [p for p in seen.PROOFS if f"proof-{p}" in gateways.PORTS]
    inside.lab.call("seen")
    texts = {f"proof-{p}": head("GET /", to=f"proof-{p}") for p in asked}
    answers = inside.play(
        *((to, [["send", text], ["all"]]) for to, text in texts.items())
    )
    noted = {n["port"]: n["authorization"] for n in inside.lab.call("seen")}
    who = f"alice {gateways.PROOFS_AUDIENCE}"
    for port, answer in zip(asked, answers, strict=True):
        code = plain.expected_proof(port)
        assert answer.status == (502 if code else 200), (port, answer)
        assert answer.code == code, port
        assert noted.get(port) == (None if code else [who]), port


def test_a_request_inside_has_two_records_that_say_what_was_added(inside):
    text = head("PUT /inside?secret=1", "Content-Length: 2") + "ab"
    answer = inside.say(text)
    assert (answer.status, answer.ended) == (200, "eof"), answer
    opened, final = inside.ended("/inside")
    assert opened["id"] == final["id"]
    for record in (opened, final):
        assert record["protocol"] == "connect"
        assert (record["verdict"], record["rule"]) == ("allow", "seen")
        assert record["method"] == "PUT"
        assert (record["host"], record["port"]) == (names.SEEN, 443)
        assert record["workload"]["user"] == "alice"
        assert record["injected"]["identity"] == "alice"
        assert re.fullmatch("[0-9a-f]{12}", record["injected"]["token_id"])
    assert final["tls"].startswith("TLSv1.3")
    assert (final["status"], final["close"]) == (200, "done")
    assert "secret" not in json.dumps([opened, final])


@pytest.mark.parametrize("how", ["connect", "socks5"])
def test_who_does_not_believe_us_says_nothing(inside, how):
    """A host with a token has no opaque tunnel, which could carry another."""
    inside.lab.call("seen")
    request = {"host": names.SEEN, "get": "/", "socks": how == "socks5"}
    (answer,) = inside.agent.probe(request)
    assert "CERTIFICATE_VERIFY_FAILED" in answer["tls_error"], answer
    assert inside.lab.call("seen") == []


def test_a_tunnel_that_is_inspected_never_carries_anything_else(inside):
    """It must begin with TLS for the very host."""
    inside.lab.call("seen")
    at = f"{names.SEEN}:443"
    asked = f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n"
    said = ("GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "\x16\x03\x01")
    orders = [
        {
            "to": gateways.PROXY,
            "steps": [
                *(["send", asked], ["head"], ["forget"]),
                *(["send", text], ["shut"], ["all"]),
            ],
        }
        for text in said
    ]
    for text, answer in zip(said, inside.script(orders), strict=True):
        assert "200" not in answer.text, text
    (answer,) = inside.agent.probe(
        {"host": names.SEEN, "sni": names.PROOFS, "get": "/"}
    )
    assert "http" not in answer, answer
    assert inside.lab.call("seen") == []


def test_over_socks_a_tunnel_is_inspected_too(inside):
    inside.lab.call("seen")
    request = {"host": names.SEEN, "socks": True, "get": "/by-socks"}
    (answer,) = inside.agent.probe({**request, "ca": gateways.BUNDLE})
    assert answer["http"]["status"] == 200, answer
    (noted,) = inside.lab.call("seen")
    assert noted["authorization"] == [plain.ALICE]
    opened, _ = inside.ended("/by-socks")
    assert opened["protocol"] == "socks5"


# All of them only where there is time: a gateway has been told them already.
GROUPS = [
    *(("requests", g) for g in http1.GROUPS),
    *(("responses", g) for g in responses.GROUPS),
]
if not paths.FULL:
    GROUPS = [("requests", "hops"), ("requests", "order")]


@pytest.fixture(scope="module", params=plain.MODES, ids=str)
def replayed(request, inside):
    """The corpora, said inside of tunnels: {group: [what went wrong]}."""
    origin, piece = request.param
    words = ["--inside", gateways.BUNDLE, "--piece", str(piece)]
    words += ["--only", ",".join(group for _, group in GROUPS)]
    words += ["--lenient"] if origin == "lenient" else []
    how = {"proxy": "127.0.0.1:3180", "port": gateways.CORPORA_PORT}
    return {
        kind: replay(inside.lab, kind, *words, **how)
        for kind in ("requests", "responses")
    }


@pytest.mark.parametrize("kind, group", GROUPS)
def test_the_corpora_pass_in_one_reading_inside(replayed, kind, group):
    assert replayed[kind][group] == []
