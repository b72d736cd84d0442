"""Node: @azure/identity, @azure/storage-blob, fetch, https and npm."""

import json

import jwt
import pytest

from lab import clients as programs
from lab import names, packages, zones

pytestmark = pytest.mark.skipif(
    not programs.installed("node"), reason="run ./bootstrap setup"
)
SCOPE = names.STORAGE_AUDIENCE + ".default"
APP_SERVICE = ["env", "-u", "IDENTITY_ENDPOINT", "-u", "IDENTITY_HEADER"]


def node(clients, program, *words, before=(), **order):
    argv = [*before, *programs.node(program, *words)]
    return clients.run(argv, "node", env=programs.node_env(), **order)


@pytest.mark.parametrize("style", ["app-service", "imds"])
def test_azure_identity_has_a_token(clients, untouched, style):
    before = APP_SERVICE if style == "imds" else []
    used = node(clients, "token.cjs", SCOPE, before=before)
    assert used.code == 0, used
    token = used.out.strip()
    found = jwt.decode(token, options={"verify_signature": False})
    assert found["oid"] == names.IDENTITIES["alice"]["object_id"]
    outside = "https://graph.microsoft.com/.default"
    refused = node(clients, "token.cjs", outside, before=before)
    clients.refused(refused, "TOKEN_NOT_ALLOWED")


def test_azure_identity_names_its_identity(clients, untouched):
    alice, bob = (names.IDENTITIES[n]["client_id"] for n in ("alice", "bob"))
    used = node(clients, "token.cjs", SCOPE, alice)
    assert used.code == 0, used
    refused = node(clients, "token.cjs", SCOPE, bob)
    clients.refused(refused, "TOKEN_NOT_ALLOWED")


def test_a_blob_is_written_and_read(clients, untouched):
    used = node(clients, "blob.cjs", names.ACCT1, "node", "16")
    assert used.out.split() == [str(16 << 20), "true"], used
    assert clients.allowed(names.ACCT1, "connect") >= 1


def test_a_refused_blob_shows_the_code(clients, hosts, untouched):
    refused = node(clients, "blob.cjs", hosts["foreign"], "node", "1")
    clients.refused(refused)
    assert "RestError" in refused.err


@pytest.mark.parametrize("how", ["fetch", "undici", "https"])
def test_a_page_is_fetched(clients, hosts, untouched, how):
    url = f"https://{hosts['plain']}/x"
    used = node(clients, "fetch.cjs", how, url)
    assert json.loads(used.out)["target"] == "/x", used
    assert clients.allowed(hosts["plain"], "connect") == 1


@pytest.mark.parametrize("how", ["undici", "https"])
def test_a_plain_page_is_fetched(clients, hosts, untouched, how):
    used = node(clients, "fetch.cjs", how, f"http://{zones.WEB}/x")
    assert json.loads(used.out)["target"] == "/x", used
    url = f"http://{hosts['unnamed']}/"
    refused = node(clients, "fetch.cjs", how, url)
    clients.refused(refused, "HOST_NOT_ALLOWED")


def test_https_refused_shows_the_code(clients, hosts, untouched):
    url = f"https://{hosts['foreign']}/"
    clients.refused(node(clients, "fetch.cjs", "https", url))


def test_npm_installs_from_a_registry(azure, clients, hosts, untouched):
    azure.call("packages")
    env = programs.node_env()
    argv = programs.npm("install", "--prefix", "npm-target", "--registry")
    url = f"https://{names.PACKAGES}/npm"
    used = clients.run([*argv, url, packages.NAME], "node", env=env)
    assert used.code == 0, used
    code = f"console.log(require('{packages.NAME}'))"
    env["NODE_PATH"] = "npm-target/node_modules"
    shown = clients.run([programs.npm()[0], "-e", code], env=env)
    assert shown.out.strip() == packages.SAYS, shown
    url = f"https://{hosts['foreign']}/npm"
    refused = clients.run([*argv, url, packages.NAME], "node", env=env)
    clients.refused(refused)


@pytest.mark.parametrize("how", ["fetch", "undici"])
def test_fetch_refused_shows_the_code(clients, hosts, untouched, how):
    argv = programs.node("fetch.cjs", how, f"https://{hosts['foreign']}/")
    argv = programs.told(argv, "node")
    clients.refused(clients.run(argv, env=programs.node_env()))


def test_the_fetch_of_node_tunnels_plain_http_and_is_refused(
    clients, untouched
):
    """It asks for CONNECT host:80, where nothing but TLS may pass."""
    argv = programs.node("fetch.cjs", "fetch", f"http://{zones.WEB}/x")
    argv = programs.told(argv, "node")
    refused = clients.run(argv, env=programs.node_env())
    clients.refused(refused, "NOT_TLS")
