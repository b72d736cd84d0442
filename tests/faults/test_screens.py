"""What a person sees of a fault of the network, in some clients."""

import pytest

from lab import clients as programs
from lab import names, origin, paths

REQUESTS = """
import requests, sys
r = requests.get(sys.argv[1], timeout=10)
print(r.status_code, r.reason, r.text)
sys.exit(not r.ok)
"""


def closed_port(faults):
    return f"{names.FAULTY}:{origin.CLOSED}"


def silent(faults):
    faults.nft(
        f"ip daddr {names.FAULTY_ADDRESS} tcp dport {origin.CLOSED} drop"
    )
    return f"{names.FAULTY}:{origin.CLOSED}"


def no_resolver(faults):
    faults.lab.call("dns_fault", first=2, second=2)
    return faults.name()


def nobody_asked_answers(faults):
    faults.lab.call("dns_fault", first="silent", second="silent")
    return faults.name()


FAULTS = {
    "CONNECT_REFUSED": closed_port,
    "CONNECT_TIMEOUT": silent,
    "DNS_SERVFAIL": no_resolver,
    "DNS_TIMEOUT": nobody_asked_answers,
}
CLIENTS = {
    "curl": lambda url: programs.told(["curl", "-sS", "--fail", url]),
    "wget": lambda url: ["wget", "-t", "1", "-O", "-", url],
    "requests": lambda url: [paths.PYTHON, "-c", REQUESTS, url],
    "go": lambda url: programs.go("get", url),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("code", FAULTS)
def test_the_code_of_a_fault_is_seen(faults, code, scheme, client):
    if client == "go" and not programs.installed("go"):
        pytest.skip("run ./bootstrap setup")
    url = f"{scheme}://{FAULTS[code](faults)}/"
    env = faults.agent.environment("alice")
    result = faults.lab.run_as("alice", CLIENTS[client](url), env=env)
    assert result.code != 0
    assert code in result.out + result.err, result
    found = [r["code"] for r in faults.new_records() if r.get("code")]
    assert set(found) == {code}


@pytest.mark.parametrize("client", CLIENTS)
def test_an_origin_that_resets_is_seen(faults, client):
    if client == "go" and not programs.installed("go"):
        pytest.skip("run ./bootstrap setup")
    faults.origin([["head"], ["reset"]])
    url = f"http://{names.FAULTY}/"
    env = faults.agent.environment("alice")
    result = faults.lab.run_as("alice", CLIENTS[client](url), env=env)
    assert result.code != 0
    assert "UPSTREAM_RESET" in result.out + result.err, result
