"""Plain HTTP through the proxy port, byte for byte, and the IMDS there."""

import json
import re

import pytest

from lab import names, zones

# Sends its arguments as they are and prints all that comes back.
CLIENT = """
import socket, sys
s = socket.create_connection(("127.0.0.1", 3180), 10)
s.sendall(bytes.fromhex(sys.argv[1]))
got = b""
try:
    while piece := s.recv(65536):
        got += piece
except ConnectionResetError:
    got += b"<reset>"
sys.stdout.write(got.decode("latin-1"))
"""
IMDS = "http://169.254.169.254/metadata"


def say(agent, text, user="alice"):
    """What the proxy answers to these bytes until it closes."""
    sent = text.encode("latin-1").hex()
    return agent.lab.python_as(user, CLIENT, sent).out


def head(line, *fields, host=zones.WEB):
    lines = [f"{line} HTTP/1.1", f"Host: {host}", *fields]
    return "\r\n".join(lines) + "\r\n\r\n"


GET = f"GET http://{zones.WEB}"


def test_fields_of_one_hop_end_here(agent, untouched):
    answer = say(
        agent,
        head(
            f"{GET}:80/a?b=%20c",
            "Connection: close, X-Mine",
            "X-Mine: 1",
            "X-Other: 2",
            "Keep-Alive: 5",
            "TE: trailers",
            "Proxy-Authorization: Basic eA==",
            "X-Forwarded-For: 10.0.0.1",
            "Forwarded: for=10.0.0.1",
            "Via: 1.0 before",
            host="evil.example",
        ),
    )
    top, _, body = answer.partition("\r\n\r\n")
    assert top.startswith("HTTP/1.1 200 ")
    assert "\r\nVia: 1." in top
    assert "\r\nConnection: close" in top
    seen = json.loads(body)
    assert (seen["method"], seen["target"]) == ("GET", "/a?b=%20c")
    fields = [(k.lower(), v) for k, v in seen["headers"]]
    assert [v for k, v in fields if k == "host"] == [f"{zones.WEB}:80"]
    vias = [v for k, v in fields if k == "via"]
    assert vias == ["1.0 before", "1.1 wayleave"]
    assert ("x-other", "2") in fields
    gone = {"x-mine", "keep-alive", "te", "proxy-authorization", "forwarded"}
    gone |= {"x-forwarded-for", "connection"}
    assert not gone & {k for k, _ in fields}


def test_pipelined_requests_are_answered_in_order(agent, untouched):
    answer = say(
        agent,
        head(f"{GET}/one")
        + head(f"POST http://{zones.WEB}/two", "Content-Length: 3")
        + "abc"
        + head(f"{GET}/three", "Connection: close"),
    )
    assert answer.count("HTTP/1.1 200 ") == 3
    targets = re.findall(r'"target": ?"([^"]+)"', answer)
    assert targets == ["/one", "/two", "/three"]


def test_each_pipelined_request_is_judged(agent, untouched):
    answer = say(
        agent,
        head(f"{GET}/one")
        + head(f"GET http://{names.ACCT1}/", host=names.ACCT1),
    )
    assert re.findall(r"HTTP/1.1 (\d+)", answer) == ["200", "403"]


CHUNKED = "Transfer-Encoding: chunked"
SMUGGLED = {
    "both framings": head(f"{GET}/", CHUNKED, "Content-Length: 4"),
    "two lengths": head(f"{GET}/", "Content-Length: 1", "Content-Length: 2"),
    "length list": head(f"{GET}/", "Content-Length: 1, 1"),
    "signed length": head(f"{GET}/", "Content-Length: +1"),
    "huge length": head(f"{GET}/", "Content-Length: 99999999999999999999"),
    "coding not last": head(f"{GET}/", "Transfer-Encoding: chunked, x"),
    "coding twice": head(f"{GET}/", CHUNKED, CHUNKED),
    "coding with parameter": head(f"{GET}/", CHUNKED + ";x"),
    "space before colon": head(f"{GET}/", "Content-Length : 1"),
    "folded": head(f"{GET}/", "X: 1", " 2"),
    "bare LF": head(f"{GET}/", "X: 1\nY: 2"),
    "bare CR": head(f"{GET}/", "X: 1\rY: 2"),
    "NUL": head(f"{GET}/", "X: 1\x002"),
    "two hosts": head(f"{GET}/", f"Host: {zones.WEB}"),
    "no host": f"{GET}/ HTTP/1.1\r\n\r\n",
    "userinfo": head(f"GET http://x@{zones.WEB}/"),
    "https": head(f"GET https://{zones.WEB}/"),
    "origin-form": head("GET /"),
    "Connection: host": head(f"{GET}/", "Connection: host"),
    "dot segments": head(f"{GET}/a/../b"),
    "bad chunk": head(f"POST http://{zones.WEB}/", CHUNKED) + "0x3\r\nabc",
}


@pytest.mark.parametrize("case", SMUGGLED)
def test_doubtful_requests_are_refused_and_closed(agent, untouched, case):
    # What follows must never be taken for a request of its own.
    answer = say(agent, SMUGGLED[case] + head(f"{GET}/after"))
    assert re.findall(r"HTTP/1.1 (\d+)", answer) == ["400"]
    assert "<reset>" not in answer
    assert '"code":"BAD_REQUEST"' in answer.replace(" ", "")


def test_a_loop_is_seen(agent, untouched):
    answer = say(agent, head(f"{GET}/", "Via: 1.1 wayleave"))
    assert answer.startswith("HTTP/1.1 502 Denied LOOP id=")


def test_an_old_client_gets_one_answer(agent, untouched):
    answer = say(
        agent,
        f"{GET}/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        + head(f"{GET}/after"),
    )
    assert len(re.findall(r"HTTP/1.1 \d+", answer)) == 1


def test_each_message_has_its_two_records(agent, untouched):
    say(agent, head(f"{GET}/recorded-twice?secret=1", "Connection: close"))
    records = [r for r in agent.news() if r.get("path") == "/recorded-twice"]
    assert [r["event"] for r in records] == ["open", "request"]
    assert records[0]["id"] == records[1]["id"]
    assert records[1]["path"] == "/recorded-twice"
    assert records[1]["status"] == 200
    assert records[1]["close"] == "done"


def test_imds_in_absolute_form_is_answered_by_the_broker(agent):
    path = "/identity/oauth2/token?api-version=2018-02-01"
    path += "&resource=https%3A%2F%2Fstorage.azure.com%2F"
    line = f"GET {IMDS}{path}"
    answer = say(agent, head(line, "Metadata: true", host="169.254.169.254"))
    top, _, body = answer.partition("\r\n\r\n")
    assert top.startswith("HTTP/1.1 200 ")
    assert json.loads(body)["resource"] == "https://storage.azure.com/"
    # As at the broker itself: no header, or somebody else's hop, no token.
    for field in ("X: 1", "Metadata: true\r\nX-Forwarded-For: 10.0.0.1"):
        refused = say(agent, head(line, field, host="169.254.169.254"))
        assert refused.startswith("HTTP/1.1 400 ")
    other = say(agent, head(f"GET {IMDS}/instance", "Metadata: true"))
    assert other.startswith("HTTP/1.1 403 Denied METADATA_PROXIED id=")
