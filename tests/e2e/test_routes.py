"""R1-R10 and the hostile DNS answers, each with its code and no leak."""

import json
import time

import pytest

from lab import names, zones

# A TTL of 0 is kept so long: what was judged, not what was not.
TTL_FLOOR_S = 1

CASES = {**zones.ROUTES, **zones.HOSTILE}


def code_of(answer):
    """The code in a refusal: the same in reason, body and Proxy-Status."""
    if answer.get("status") == 200:
        return None
    body = json.loads(answer["body"])
    code = body["code"]
    assert f"Denied {code} id={body['id']}" == answer["reason"]
    assert f'details="{code}"' in answer["fields"]["proxy-status"]
    assert body["status"] == answer["status"]
    assert body["error"]["code"] == code
    return code


@pytest.mark.parametrize("case", CASES)
def test_route(agent, untouched, case):
    host, codes = CASES[case]
    (answer,) = agent.probe({"host": host, "get": "/seen"})
    assert code_of(answer) in codes, answer
    if None in codes:
        assert answer["http"]["status"] == 200
        assert json.loads(answer["http"]["body"])["target"] == "/seen"
        return
    record = [r for r in agent.records() if r.get("host") == host][-1]
    assert record["event"] == "request"
    assert record["code"] in codes
    body = json.loads(answer["body"])
    assert record["id"] == body["id"]
    if record.get("resolved"):
        for address in record["resolved"]["addresses"]:
            assert address not in answer["body"]


def test_rebinding_reaches_the_judged_address_only(azure, agent, untouched):
    azure.call("dns", rewind=True)
    request = {"host": zones.REBIND, "get": "/"}
    (first,) = agent.probe(request)
    time.sleep(TTL_FLOOR_S + 0.1)
    (second,) = agent.probe(request)
    assert first["http"]["status"] == 200
    assert code_of(second) == "PUBLIC_ADDRESS"


def test_svcb_hints_are_never_asked_for(azure, agent):
    azure.call("dns", rewind=True)
    agent.probe({"host": names.ACCT1})
    kinds = azure.call("dns")["kinds"]
    assert set(kinds) <= {"1", "28"}


def test_a_public_rule_reaches_just_its_host(azure, agent):
    before = azure.call("public")
    (answer,) = agent.probe({"host": names.LOGIN, "get": "/"})
    assert answer["http"]["status"] == 200
    after = azure.call("public")
    key = f"{names.PUBLIC_LOGIN}:443"
    assert after.pop(key) == before.pop(key) + 1
    assert after == before


NAMES = {
    "unknown host": ("evil.example", 443, "HOST_NOT_ALLOWED"),
    "wrong port": (names.ACCT1, 8443, "PORT_NOT_ALLOWED"),
    "other's rule": (names.ACCT2, 443, "WORKLOAD_NOT_ALLOWED"),
    "address": ("10.20.0.5", 443, "IP_LITERAL"),
    "privatelink": (
        "acct1.privatelink.blob.core.windows.net",
        443,
        "PRIVATELINK_NAME",
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_are_judged_before_dns(azure, agent, untouched, case):
    host, port, code = NAMES[case]
    azure.call("dns", rewind=True)
    (answer,) = agent.probe({"host": host, "port": port})
    assert code_of(answer) == code
    assert host not in azure.call("dns")["names"]


def test_a_unit_decides(agent):
    host = zones.PLAIN_HOSTS[1]
    request = {"host": host, "get": "/"}
    (inside,) = agent.probe(request, user="bob", unit="job-1.service")
    (outside,) = agent.probe(request, user="bob", unit="session.scope")
    manager = "user-1000.slice/user@1000.service/app.slice/job-1.service"
    (posing,) = agent.probe(request, user="bob", unit=manager)
    assert inside["http"]["status"] == 200
    assert code_of(outside) == "WORKLOAD_NOT_ALLOWED"
    assert code_of(posing) == "WORKLOAD_NOT_ALLOWED"


TLS = {
    "SNI_MISMATCH": {"sni": names.VAULT},
    "SNI_MISSING": {"sni": None},
    "NOT_TLS": {"raw": "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
}


@pytest.mark.parametrize("code", TLS)
def test_the_first_flight_is_judged(agent, code):
    (answer,) = agent.probe({"host": names.ACCT1, **TLS[code]})
    assert answer["status"] == 200
    assert answer.get("tls_error") or answer.get("after") == ""
    record = [r for r in agent.records() if r.get("code") == code][-1]
    assert record["verdict"] == "deny"
    assert record["host"] == names.ACCT1


def test_a_unix_socket_tells_the_pid_too(agent):
    from lab import daemon

    request = {"host": names.ACCT1, "proxy": daemon.PROXY_SOCKET}
    (answer,) = agent.probe(request)
    assert answer["status"] == 200
    record = [r for r in agent.records() if r["event"] == "open"][-1]
    assert record["listener"] == f"unix:{daemon.PROXY_SOCKET}"
    assert record["workload"]["user"] == "alice"
    assert record["workload"]["pid"] > 1
