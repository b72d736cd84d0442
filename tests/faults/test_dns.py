"""Resolvers that are silent, refuse, cut short or are gone, one by one."""

import re

import pytest

from lab import names

PAGE = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SERVFAIL, REFUSED = 2, 5
FAULTS = ["silent", SERVFAIL, REFUSED, "truncated", "gone"]


def fail(faults, which, fault):
    """Server 0, 1 or both (2) have the fault; the network does the rest."""
    servers = [names.DNS, names.DNS2]
    hit = servers if which == 2 else [servers[which]]
    if fault == "gone":
        faults.nft(f"ip daddr {{ {', '.join(hit)} }} udp dport 53 reject")
        return
    if fault == "truncated":
        where = f"ip daddr {{ {', '.join(hit)} }} tcp dport 53"
        faults.nft(f"{where} reject with tcp reset")
    switches = {"first": fault, "second": fault}
    if which != 2:
        switches.pop(("second", "first")[which])
    faults.lab.call("dns_fault", **switches)


@pytest.fixture
def page(faults):
    faults.origin([["head"], ["send", PAGE], ["all"]])
    faults.lab.call("dns_asked")


@pytest.mark.parametrize("fault", FAULTS)
def test_the_second_server_is_asked_where_the_first_fails(faults, page, fault):
    fail(faults, 0, fault)
    seen = faults.get(faults.name())
    assert seen["got"].endswith("ok"), seen
    assert seen["s"] < 2.5
    assert faults.lab.call("dns_asked")[1] >= 2


@pytest.mark.parametrize("fault", FAULTS)
def test_the_second_server_is_not_missed_where_the_first_answers(
    faults, page, fault
):
    fail(faults, 1, fault)
    seen = faults.get(faults.name())
    assert seen["got"].endswith("ok"), seen
    assert seen["s"] < 0.5
    assert faults.lab.call("dns_asked")[1] == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_without_any_server_the_refusal_comes_in_time(faults, page, fault):
    fail(faults, 2, fault)
    name = faults.name()
    seen = faults.get(name)
    assert re.match(
        r"HTTP/1.1 50[24] Denied DNS_(SERVFAIL|TIMEOUT) id=", seen["got"]
    ), seen
    assert seen["s"] < 4
    record = faults.record(host=name)
    assert record["verdict"] == "deny"
    assert record["code"] in seen["got"]
    assert record["id"] in seen["got"]
    expected = {"silent": "DNS_TIMEOUT", SERVFAIL: "DNS_SERVFAIL"}
    assert record["code"] == expected.get(fault, record["code"])
    assert record["address"] is None
    # Nothing of the failure is left when the servers are back.
    faults.heal()
    seen = faults.get(name)
    assert seen["got"].endswith("ok"), seen
    assert seen["s"] < 1


def test_each_kind_of_client_is_told(faults, page):
    fail(faults, 2, SERVFAIL)
    hosts = [faults.name() for _ in range(2)]
    tunnel, socks = faults.agent.probe(
        {"host": hosts[0]}, {"host": hosts[1], "socks": True}
    )
    assert tunnel["status"] == 502
    assert tunnel["reason"].startswith("Denied DNS_SERVFAIL id=")
    assert socks["socks"] == 4
    for host, protocol in zip(hosts, ("connect", "socks5")):
        record = faults.record(host=host, protocol=protocol)
        assert record["code"] == "DNS_SERVFAIL"


def test_a_name_that_is_known_outlasts_its_servers(faults, page):
    name = faults.name()
    assert faults.get(name)["got"].endswith("ok")
    fail(faults, 2, "silent")
    seen = faults.get(name)
    assert seen["got"].endswith("ok"), seen
    assert seen["s"] < 0.5


MANY = """
import socket, sys, threading, time
def ask(host, out):
    s = socket.create_connection(("127.0.0.1", 3180), 20)
    t = time.monotonic()
    s.sendall(f"CONNECT {host}:443 HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode())
    out.append((b"DNS_TIMEOUT" in s.recv(65536), time.monotonic() - t))
out = []
hosts = [f"m{i}-{sys.argv[1]}" for i in range(200)]
threads = [threading.Thread(target=ask, args=(h, out)) for h in hosts]
[t.start() for t in threads]
[t.join() for t in threads]
print(sum(told for told, _ in out), max(s for _, s in out))
"""


def test_many_names_at_once_fail_no_slower_than_one(faults, page):
    fail(faults, 2, "silent")
    [one] = faults.agent.probe({"host": faults.name()})
    result = faults.lab.python_as("alice", MANY, faults.name())
    told, slowest = result.out.split() or (0, 0)
    assert int(told) == 200, result
    assert float(slowest) < one["s"] + 1.5
