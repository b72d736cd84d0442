"""Tunnels whose destination refuses, vanishes, resets or ends early."""

import re

import pytest

from lab import names, origin

RESET = ("UPSTREAM_RESET", "upstream")
DENIED = r"Denied {} id=[A-Z2-7]{{10}}"


def connect(port, host=names.FAULTY):
    target = f"{host}:{port}"
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"


def open_way(port=origin.RAW):
    return [["send", connect(port)], ["head"]]


def test_a_refused_connection_is_said_and_recorded(faults):
    seen = faults.client(["send", connect(origin.CLOSED)], ["all"])
    assert seen["got"].startswith("HTTP/1.1 502 ")
    assert re.search(DENIED.format("CONNECT_REFUSED"), seen["got"])
    record = faults.record(port=origin.CLOSED)
    assert record["code"] == "CONNECT_REFUSED"
    assert record["id"] in seen["got"]


def test_a_silent_destination_is_said_in_time(faults):
    faults.nft(f"ip daddr {names.FAULTY_ADDRESS} tcp dport 443 drop")
    seen = faults.client(["send", connect(443)], ["all"])
    assert seen["got"].startswith("HTTP/1.1 504 ")
    assert re.search(DENIED.format("CONNECT_TIMEOUT"), seen["got"])
    assert 0.8 < seen["s"] < 2.5
    assert faults.record(port=443)["code"] == "CONNECT_TIMEOUT"


@pytest.mark.parametrize(
    "how", ["host-unreachable", "net-unreachable", "admin-prohibited"]
)
def test_an_unreachable_destination_is_said_at_once(faults, how):
    where = f"ip daddr {names.FAULTY_ADDRESS} tcp dport 443"
    faults.nft(f"{where} reject with icmp type {how}")
    seen = faults.client(["send", connect(443)], ["all"])
    assert re.search(r"^HTTP/1.1 50[24] Denied CONNECT_", seen["got"]), seen
    assert seen["s"] < 2.5
    code = faults.record(port=443)["code"]
    assert code in ("CONNECT_UNREACHABLE", "CONNECT_TIMEOUT")
    assert code in seen["got"]


def test_a_reset_upon_the_connection_ends_the_tunnel(faults):
    faults.origin([["reset"]])
    seen = faults.client(*open_way(443), ["tls"], ["all"])
    assert seen["error"] or seen["ended"], seen
    assert seen["s"] < 2
    # The reset may come before or after we know that we are connected.
    record = faults.record(port=443)
    assert record["verdict"] == "allow"
    if seen["got"].startswith("HTTP/1.1 200 "):
        assert (record["code"], record["close"]) == RESET
    else:
        assert record["code"] in ("CONNECT_REFUSED", "CONNECT_UNREACHABLE")
        assert record["id"] in seen["got"]


def test_a_reset_within_the_handshake_ends_the_tunnel(faults):
    faults.origin([["some"], ["reset"]])
    seen = faults.client(*open_way(443), ["tls"], ["all"])
    assert seen["got"].startswith("HTTP/1.1 200 ")
    assert seen["ended"] == "reset", seen
    assert seen["s"] < 2
    record = faults.record(port=443)
    assert record["verdict"] == "allow"
    assert (record["code"], record["close"]) == RESET


def test_a_reset_in_the_middle_is_no_clean_end(faults):
    faults.origin([["some"], ["zeros", 300000], ["wait", 0.3], ["reset"]])
    seen = faults.client(*open_way(), ["send", "x"], ["all"])
    assert seen["bytes"] >= 300000
    assert seen["ended"] == "reset", seen
    record = faults.record(port=origin.RAW)
    assert record["code"] == "UPSTREAM_RESET"
    assert record["close"] == "upstream"
    assert record["bytes_down"] == 300000


def test_a_clean_end_stays_one(faults):
    faults.origin([["some"], ["zeros", 300000], ["close"]])
    seen = faults.client(*open_way(), ["send", "x"], ["all"])
    assert seen["ended"] == "eof"
    record = faults.record(port=origin.RAW)
    assert (record["code"], record["close"]) == (None, "upstream")


def test_a_client_that_resets_is_passed_on(faults):
    faults.origin([["all"]])
    way = [*open_way(), ["zeros", 5000], ["wait", 0.3], ["reset"]]
    faults.client(*way)
    assert faults.told()[0]["ended"] == "reset"
    assert faults.told()[0]["bytes"] == 5000
    record = faults.record(port=origin.RAW)
    assert (record["code"], record["close"]) == (None, "client")


def test_a_client_may_close_its_half(faults):
    faults.origin([["all"], ["zeros", 3000000], ["close"]])
    seen = faults.client(*open_way(), ["send", "abc"], ["shut"], ["all"])
    assert seen["ended"] == "eof"
    assert seen["bytes"] == 3000000 + seen["got"].index("\r\n\r\n") + 4
    assert faults.told()[0]["bytes"] == 3
    record = faults.record(port=origin.RAW)
    assert (record["bytes_up"], record["bytes_down"]) == (3, 3000000)


def test_a_destination_may_close_its_half(faults):
    faults.origin([["send", "abc"], ["shut"], ["all"]])
    seen = faults.client(*open_way(), ["all"], ["zeros", 3000000], ["close"])
    assert seen["got"].endswith("\r\n\r\nabc")
    assert faults.told()[0]["bytes"] == 3000000
    assert faults.told()[0]["ended"] == "eof"


def test_a_destination_that_resets_its_finished_answer_loses_nothing(faults):
    faults.origin(
        [["some"], ["zeros", 200000], ["shut"], ["wait", 0.3], ["reset"]]
    )
    seen = faults.client(*open_way(), ["send", "x"], ["wait", 0.8], ["all"])
    assert seen["bytes"] > 200000
    assert seen["ended"] == "eof", seen


def test_a_tunnel_where_nothing_moves_ends(faults):
    faults.origin([["all"]])
    seen = faults.client(*open_way(), ["send", "x"], ["all"])
    assert 2 < seen["s"] < 5
    assert faults.record(port=origin.RAW)["close"] == "idle"


def test_a_hello_that_does_not_come_ends_the_tunnel(faults):
    faults.origin([["all"]])
    seen = faults.client(*open_way(443), ["all"])
    assert 1 < seen["s"] < 4
    assert faults.record(port=443)["close"] == "hello"
    assert faults.told()[0]["bytes"] == 0


def test_what_came_before_a_reset_reaches_a_slow_client(faults):
    faults.origin([["some"], ["zeros", 3000000], ["wait", 0.3], ["reset"]])
    way = [*open_way(), ["send", "x"], ["wait", 1]]
    seen = faults.client(*way, ["all"])
    head = seen["got"].index("\r\n\r\n") + 4
    assert seen["bytes"] == 3000000 + head
    assert seen["ended"] == "reset", seen
    assert faults.record(port=origin.RAW)["code"] == "UPSTREAM_RESET"
