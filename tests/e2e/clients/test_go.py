"""Go: net/http and azidentity."""

import hashlib

import pytest

from lab import clients as programs
from lab import names, zones

pytestmark = pytest.mark.skipif(
    not programs.installed("go"), reason="run ./bootstrap setup"
)
SCOPE = names.STORAGE_AUDIENCE + ".default"
OUTSIDE = "https://graph.microsoft.com/.default"
IDS = {n: i["client_id"] for n, i in names.IDENTITIES.items()}


def go(clients, *words, before=(), **order):
    return clients.run([*before, *programs.go(*words)], **order)


def test_net_http_over_connect(clients, hosts, untouched):
    url = f"https://{hosts['plain']}/bytes/5000000"
    used = go(clients, "get", url)
    digest = hashlib.sha256(bytes(5000000)).hexdigest()
    assert used.out.split() == ["200", "5000000", digest], used
    assert clients.allowed(hosts["plain"], "connect") == 1
    refused = go(clients, "get", f"https://{hosts['foreign']}/")
    clients.refused(refused)


def test_net_http_in_absolute_form(clients, hosts, untouched):
    used = go(clients, "post", f"http://{zones.WEB}/x", "payload")
    assert '"target": "/x"' in used.out, used
    assert hashlib.sha256(b"payload").hexdigest() in used.out
    refused = go(clients, "get", f"http://{hosts['unnamed']}/")
    clients.refused(refused, "HOST_NOT_ALLOWED")


@pytest.mark.parametrize("kind", ["default", "managed"])
def test_azidentity_has_a_token(clients, untouched, kind):
    selector = [IDS["alice"]] if kind == "managed" else []
    used = go(clients, "token", kind, SCOPE, *selector)
    assert used.code == 0, used
    granted = [r for r in clients.records() if r["event"] == "token"]
    assert [r["verdict"] for r in granted] == ["allow"]
    refused = go(clients, "token", kind, OUTSIDE, *selector)
    clients.refused(refused, "TOKEN_NOT_ALLOWED")


# It knows no other metadata service than 169.254.169.254, and asks the
# proxy for it where NO_PROXY does not name that address.
PROXIED = ["env", "-u", "IDENTITY_ENDPOINT", "-u", "IDENTITY_HEADER"]
PROXIED += [f"{n}=127.0.0.1,localhost" for n in ("NO_PROXY", "no_proxy")]


def test_azidentity_asks_the_proxy_for_the_metadata_service(
    clients, untouched
):
    for words in (("default", SCOPE), ("managed", SCOPE, IDS["alice"])):
        used = go(clients, "token", *words, before=PROXIED)
        assert used.code == 0, used
    seen = [r for r in clients.records() if r["event"] == "token"]
    assert {r["verdict"] for r in seen} == {"allow"}
    assert {r["listener"] for r in seen} == {"127.0.0.1:3180"}
    words = ["token", "managed", SCOPE, IDS["bob"]]
    refused = go(clients, *words, before=PROXIED)
    clients.refused(refused, "TOKEN_NOT_ALLOWED")
    # What it must not have either: anything else that is behind there.
    url = f"http://{names.IMDS}/metadata/instance?api-version=2021-02-01"
    refused = go(clients, "get", url, before=PROXIED)
    clients.refused(refused, "METADATA_PROXIED")
