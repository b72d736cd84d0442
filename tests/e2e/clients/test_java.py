"""Java: HttpClient, HttpURLConnection, azure-identity, storage."""

import json

import jwt
import pytest

from lab import clients as programs
from lab import names, paths, zones

pytestmark = pytest.mark.skipif(
    not programs.installed("java"), reason="run ./bootstrap setup"
)
SCOPE = names.STORAGE_AUDIENCE + ".default"
OUTSIDE = "https://graph.microsoft.com/.default"
IDS = {n: i["client_id"] for n, i in names.IDENTITIES.items()}
TRUST = paths.STATE / "trust.jks"


@pytest.fixture
def java(clients, trust):
    def run(*words, before=(), **order):
        argv = [*before, *programs.java(TRUST, *words)]
        return clients.run(argv, "java", **order)

    return run


@pytest.mark.parametrize("how", ["get", "connection"])
def test_a_page_is_fetched(clients, hosts, untouched, java, how):
    used = java(how, f"https://{hosts['plain']}/x")
    assert used.code == 0, used
    assert json.loads(used.out[used.out.index("{") :])["target"] == "/x"
    assert clients.allowed(hosts["plain"], "connect") == 1


@pytest.mark.parametrize("how", ["get", "connection"])
def test_a_plain_page_is_fetched(clients, hosts, untouched, java, how):
    used = java(how, f"http://{zones.WEB}/x")
    assert used.code == 0, used
    refused = java(how, f"http://{hosts['unnamed']}/")
    clients.refused(refused, "HOST_NOT_ALLOWED")


def test_urlconnection_refused_shows_the_code(clients, hosts, untouched, java):
    clients.refused(java("connection", f"https://{hosts['foreign']}/"))


def test_httpclient_refused_shows_the_code(clients, hosts, untouched, trust):
    url = f"https://{hosts['foreign']}/"
    argv = programs.told(programs.java(TRUST, "get", url), "java")
    clients.refused(clients.run(argv))


APP_SERVICE = ["env", "-u", "IDENTITY_ENDPOINT", "-u", "IDENTITY_HEADER"]


@pytest.mark.parametrize("style", ["app-service", "imds"])
def test_azure_identity_has_a_token(clients, untouched, java, style):
    before = APP_SERVICE if style == "imds" else []
    used = java("managed", SCOPE, IDS["alice"], before=before)
    assert used.code == 0, used
    token = used.out.split()[-1]
    found = jwt.decode(token, options={"verify_signature": False})
    assert found["appid"] == IDS["alice"]
    refused = java("managed", SCOPE, IDS["bob"], before=before)
    clients.refused(refused, "TOKEN_NOT_ALLOWED")


def test_the_default_credential_has_a_token(clients, untouched, java):
    used = java("default", SCOPE)
    assert used.code == 0, used
    clients.refused(java("default", OUTSIDE), "TOKEN_NOT_ALLOWED")


def test_a_blob_is_written_and_read(clients, untouched, java):
    used = java("blob", names.ACCT1, "java", "4")
    assert used.out.split() == [str(4 << 20), "true"], used
    assert clients.allowed(names.ACCT1, "connect") >= 1
