"""Plain HTTP whose origin resets, ends early, frames badly or says too much."""

import re

import pytest

from lab import names, origin

GET = f"GET http://{names.FAULTY}/"
OK = "HTTP/1.1 200 OK\r\n"


def request(line="", *fields, method="GET", body=""):
    lines = [f"{method} http://{names.FAULTY}/{line} HTTP/1.1"]
    lines += [f"Host: {names.FAULTY}", *fields]
    return "\r\n".join(lines) + "\r\n\r\n" + body


def once(line="", *fields, **how):
    """A request after which the connection ends."""
    return request(line, "Connection: close", *fields, **how)


def statuses(seen):
    return re.findall(r"HTTP/1\.1 (\d+) ", seen["got"])


def refused(faults, seen, code, **wanted):
    """The client was told, the record says the same."""
    record = faults.record(host=names.FAULTY, **wanted)
    assert record["code"] == code, record
    assert record["verdict"] == "allow"
    status = str(record["status"])
    assert seen["got"].startswith(f"HTTP/1.1 {status} Denied {code} id=")
    assert record["id"] in seen["got"]
    assert seen["ended"] == "eof"
    assert seen["s"] < 5
    return record


RESETS = {
    "upon the connection": [["reset"]],
    "after the request": [["head"], ["reset"]],
    "within the head": [["head"], ["send", OK + "X: 1"], ["reset"]],
    "end without a word": [["head"], ["close"]],
    "end within the head": [["head"], ["send", OK + "X: 1"], ["close"]],
}


@pytest.mark.parametrize("case", RESETS)
def test_an_origin_that_goes_is_said(faults, case):
    faults.origin(RESETS[case])
    seen = faults.client(["send", once()], ["all"])
    code = faults.record(host=names.FAULTY)["code"]
    if case == "upon the connection" and code.startswith("CONNECT_"):
        assert code in seen["got"]
        return
    record = refused(faults, seen, "UPSTREAM_RESET")
    assert (record["status"], record["close"]) == (502, "upstream")


LENGTH = OK + "Content-Length: 1000\r\n\r\n"
CHUNKED = OK + "Transfer-Encoding: chunked\r\n\r\n"
CUT = {
    "length, end": [["send", LENGTH + "abc"], ["close"]],
    "length, reset": [["send", LENGTH + "abc"], ["wait", 0.2], ["reset"]],
    "chunked, end": [["send", CHUNKED + "3\r\nabc\r\n"], ["close"]],
    "chunked, in a chunk": [["send", CHUNKED + "9\r\nabc"], ["close"]],
    "chunked, in the end": [
        ["send", CHUNKED + "3\r\nabc\r\n0\r\n"],
        ["close"],
    ],
    "until close, reset": [
        ["send", OK + "\r\nabc"],
        ["wait", 0.2],
        ["reset"],
    ],
}


@pytest.mark.parametrize("case", CUT)
def test_a_cut_answer_is_never_taken_for_a_whole_one(faults, case):
    faults.origin([["head"], *CUT[case]])
    seen = faults.client(["send", request()], ["all"])
    assert statuses(seen) == ["200"]
    head, _, body = seen["got"].partition("\r\n\r\n")
    if "Transfer-Encoding: chunked" in head:
        assert not body.endswith("0\r\n\r\n")
    elif "Content-Length" in head:
        assert len(body) < 1000
    else:
        assert seen["ended"] == "reset", seen
    assert seen["s"] < 2
    record = faults.record(host=names.FAULTY)
    assert (record["code"], record["close"]) == ("UPSTREAM_RESET", "upstream")


BAD = {
    "no HTTP": "SSH-2.0-OpenSSH_9.2\r\n",
    "no status": "HTTP/1.1\r\n\r\n",
    "status of words": "HTTP/1.1 abc OK\r\n\r\n",
    "status of four": "HTTP/1.1 2000 OK\r\n\r\n",
    "status 99": "HTTP/1.1 099 OK\r\n\r\n",
    "version 2": "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version 0.9": "<html>hello</html>\r\n\r\n",
    "no colon": OK + "Content-Length 3\r\n\r\nabc",
    "empty name": OK + ": 1\r\nContent-Length: 3\r\n\r\nabc",
    "NUL": OK + "X: a\0b\r\nContent-Length: 3\r\n\r\nabc",
    "bare CR": OK + "X: a\rb\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths": OK + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "length list": OK + "Content-Length: 3, 4\r\n\r\nabcd",
    "signed length": OK + "Content-Length: +3\r\n\r\nabc",
    "negative length": OK + "Content-Length: -3\r\n\r\nabc",
    "hex length": OK + "Content-Length: 0x3\r\n\r\nabc",
    "huge length": OK + "Content-Length: " + "9" * 40 + "\r\n\r\nabc",
    "wrapping length": OK + f"Content-Length: {2**64 + 3}\r\n\r\nabc",
    "chunked not last": OK + "Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + "Transfer-Encoding: chunked, chunked\r\n\r\n",
    "unknown coding": OK + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "switch": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_head_is_dropped_whole(faults, case):
    faults.origin([["head"], ["send", BAD[case]], ["wait", 0.2], ["all"]])
    seen = faults.client(["send", request()], ["all"])
    code = faults.record(host=names.FAULTY)["code"]
    assert code in ("UPSTREAM_PROTOCOL", "UPSTREAM_RESET")
    record = refused(faults, seen, code)
    assert record["status"] == 502
    assert statuses(seen) == ["502"]
    # What was bad is no connection for anybody else.
    assert faults.told()[0]["ended"] in ("eof", "reset")


FLOODS = {
    "one long field": [["send", OK + "X: "], ["zeros", 1 << 20]],
    "a long reason": [["send", "HTTP/1.1 200 "], ["send", "x" * (1 << 20)]],
    "many fields": [["send", OK + "X: 1\r\n" * 200000 + "\r\n"]],
    "endless 1xx": [["again", 5000, [["send", "HTTP/1.1 100 \r\n\r\n"]]]],
    "endless 103": [
        ["again", 5000, [["send", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"]]]
    ],
}


@pytest.mark.parametrize("case", FLOODS)
def test_a_flood_of_heads_is_cut(faults, case):
    faults.origin([["head"], *FLOODS[case]])
    seen = faults.client(["send", request()], ["all"])
    found = [s for s in statuses(seen) if s[0] != "1"]
    record = faults.record(host=names.FAULTY)
    assert record["code"] == "UPSTREAM_PROTOCOL"
    assert seen["s"] < 3
    # Once a 1xx is on its way the refusal still is an answer.
    assert found in (["502"], []), seen
    assert record["bytes_down"] < 300000


BAD_CHUNKS = {
    "no hex": "zz\r\nabc\r\n0\r\n\r\n",
    "signed": "+3\r\nabc\r\n0\r\n\r\n",
    "0x": "0x3\r\nabc\r\n0\r\n\r\n",
    "wrapping": "10000000000000003\r\nabc\r\n0\r\n\r\n",
    "no CRLF after": "3\r\nabcX0\r\n\r\n",
    "endless extension": "3;" + "x" * 100000 + "\r\nabc\r\n0\r\n\r\n",
    "endless trailer": "0\r\n" + "X: 1\r\n" * 50000,
}


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_bad_chunks_are_cut(faults, case):
    faults.origin([["head"], ["send", CHUNKED + BAD_CHUNKS[case]], ["all"]])
    seen = faults.client(["send", request()], ["all"])
    assert not seen["got"].endswith("0\r\n\r\n")
    record = faults.record(host=names.FAULTY)
    assert record["code"] == "UPSTREAM_PROTOCOL"
    assert seen["s"] < 3


WHOLE = OK + "Content-Length: 5\r\n\r\nfirst"
FRESH = OK + "Content-Length: 5\r\n\r\nfresh"
POISON = OK + "Content-Length: 6\r\n\r\npoison"
IDLE = {
    "reset": [["send", WHOLE], ["wait", 0.2], ["reset"]],
    "end": [["send", WHOLE], ["wait", 0.2], ["close"]],
    "bytes while idle": [["send", WHOLE], ["wait", 0.2], ["send", POISON]],
    "bytes behind": [["send", WHOLE + POISON], ["wait", 0.2]],
    "408 while idle": [
        ["send", WHOLE],
        ["wait", 0.2],
        ["send", "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"],
    ],
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("case", IDLE)
def test_an_idle_connection_that_went_wrong_serves_nobody(
    faults, case, method
):
    faults.origin(
        [["head"], *IDLE[case], ["all"]],
        [["head"], ["send", FRESH], ["all"]],
    )
    second = request("second", "Content-Length: 0", method=method)
    seen = faults.client(
        ["send", request("first")],
        ["read", len(WHOLE)],
        ["wait", 0.6],
        ["send", second],
        ["wait", 0.3],
        ["shut"],
        ["all"],
    )
    assert statuses(seen) == ["200", "200"], seen
    assert "first" in seen["got"]
    assert "fresh" in seen["got"]
    assert "poison" not in seen["got"]
    assert faults.record(path="/second")["code"] is None


def test_a_message_that_may_not_be_repeated_is_not(faults):
    """The idle connection takes the request and dies with it."""
    reused = [["head"], ["send", WHOLE], ["head"], ["reset"]]
    faults.origin(reused, [["head"], ["send", FRESH], ["all"]])
    post = request("post", "Content-Length: 0", method="POST")
    seen = faults.client(
        ["send", request("first")], ["wait", 0.3], ["send", post], ["all"]
    )
    assert statuses(seen) == ["200", "502"], seen
    assert "Denied UPSTREAM_RESET id=" in seen["got"]
    assert len(faults.told()) == 1
    assert faults.record(path="/post")["code"] == "UPSTREAM_RESET"


def test_a_get_is_tried_once_more_on_a_new_connection(faults):
    reused = [["head"], ["send", WHOLE], ["head"], ["reset"]]
    faults.origin(reused, [["head"], ["send", FRESH], ["all"]])
    seen = faults.client(
        ["send", request("first")],
        ["wait", 0.3],
        ["send", once("again")],
        ["all"],
    )
    assert statuses(seen) == ["200", "200"], seen
    assert "fresh" in seen["got"]
    # Each of the two tries has its records.
    found = [r for r in faults.new_records() if r.get("path") == "/again"]
    assert [(r["event"], r["code"]) for r in found] == [
        ("open", None),
        ("request", "UPSTREAM_RESET"),
        ("open", None),
        ("request", None),
    ]


def test_silence_is_answered_in_time(faults):
    faults.origin([["head"], ["all"]])
    seen = faults.client(["send", once()], ["all"])
    assert seen["got"].startswith("HTTP/1.1 504 Denied ")
    assert 2 < seen["s"] < 5
    record = faults.record(host=names.FAULTY)
    assert (record["status"], record["close"]) == (504, "idle")


def test_a_head_in_drops_is_not_waited_for_forever(faults):
    faults.origin([["head"], ["drip", OK + "X: " + "y" * 500, 0.05]])
    seen = faults.client(["send", once()], ["all"])
    assert seen["got"].startswith("HTTP/1.1 504 Denied ")
    assert seen["s"] < 5


def test_a_slow_body_is_waited_for(faults):
    faults.origin([["head"], ["send", WHOLE[:-5]], ["drip", "first", 0.7]])
    seen = faults.client(["send", once()], ["all"])
    assert seen["got"].endswith("first")
    assert faults.record(host=names.FAULTY)["code"] is None


def test_an_upload_that_is_refused_early_shows_the_answer(faults):
    no = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    faults.origin([["head"], ["send", no], ["wait", 0.3], ["reset"]])
    put = once("up", "Content-Length: 9000000", method="PUT")
    seen = faults.client(["send", put], ["zeros", 9000000], ["all"])
    assert statuses(seen) == ["413"], seen
    assert seen["got"].endswith("no")


def test_an_upload_that_the_origin_breaks_ends(faults):
    faults.origin([["head"], ["read", 100000], ["reset"]])
    put = once("up", "Content-Length: 9000000", method="PUT")
    seen = faults.client(["send", put], ["zeros", 9000000], ["all"])
    assert seen["s"] < 4
    record = faults.record(path="/up")
    assert record["code"] == "UPSTREAM_RESET"
    assert "Denied UPSTREAM_RESET id=" in seen["got"], seen


def test_a_closed_port_and_a_silent_one_are_said(faults):
    target = f"http://{names.FAULTY}:{origin.CLOSED}/"
    head = f"GET {target} HTTP/1.1\r\nHost: {names.FAULTY}\r\n\r\n"
    seen = faults.client(["send", head], ["all"])
    refused(faults, seen, "CONNECT_REFUSED", port=origin.CLOSED)
    faults.nft(f"ip daddr {names.FAULTY_ADDRESS} tcp dport 80 drop")
    seen = faults.client(["send", request()], ["all"])
    refused(faults, seen, "CONNECT_TIMEOUT", port=80)
