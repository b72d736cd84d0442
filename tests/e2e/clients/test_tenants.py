"""Sign-ins are held to the tenants that the policy names, whatever the
client says of it."""

import json

import pytest

from lab import daemon, names, zones

OTHER = "99999999-aaaa-4bbb-8ccc-dddddddddddd"
RESTRICTION = f"{names.TENANT}:{OTHER}"
PAGE = f"https://{names.LOGIN}/common/oauth2/authorize?x=1"
EXPECTED = [
    ["restrict-access-context", names.TENANT],
    ["restrict-access-to-tenants", f"{names.TENANT},lab.example"],
    ["sec-restrict-tenant-access-policy", RESTRICTION],
]
OWN = [
    "Restrict-Access-To-Tenants: evil.example",
    "RESTRICT-ACCESS-TO-TENANTS: evil.example",
    f"restrict-access-context: {OTHER}",
    f"Sec-Restrict-Tenant-Access-Policy: {OTHER}:{OTHER}",
]


@pytest.fixture(scope="module", autouse=True)
def restricted(_session_agent):
    value = daemon.policy()
    value["tenant_restrictions"] = {
        "context": names.TENANT,
        "tenants": [names.TENANT, "lab.example"],
        "policy": RESTRICTION,
    }
    _session_agent.reload(value)
    yield
    _session_agent.reload(daemon.POLICY)


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("own", [[], OWN], ids=["none", "own"])
def test_a_sign_in_is_told_what_the_policy_says(clients, version, own):
    fields = [x for field in own for x in ("-H", field)]
    used = clients.run(["curl", "-sS", version, *fields, PAGE])
    assert json.loads(used.out)["told"] == EXPECTED, used
    (final,) = clients.finals(host=names.LOGIN, method="GET")
    assert (final["path"], final["status"]) == (
        "/common/oauth2/authorize",
        200,
    )


def test_a_connection_nominates_none_of_it_away(clients):
    field = "Connection: sec-Restrict-Tenant-Access-Policy"
    used = clients.run(["curl", "-sS", "--http1.1", "-H", field, PAGE])
    assert json.loads(used.out)["told"] == EXPECTED, used


def test_no_other_host_is_told(clients):
    used = clients.run(["curl", "-sS", f"http://{zones.WEB}/x"])
    fields = dict(json.loads(used.out)["headers"])
    assert not [n for n in fields if "restrict" in n.lower()], fields
