"""Clients whose tunnels are inspected: what `wayleave env` tells them of
certificates is all that they get, and what is refused is refused inside."""

import json
import re

import pytest
import test_data_python as data
import test_plain_python as plain
import test_tools as tools

from lab import clients as programs
from lab import daemon, names, paths

shop = tools.shop
METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "OPTIONS"]
LOOKED_INTO = {"lake", "vault", "cases", "packages"}


def policy():
    """The lab's, but that some rules want to see the requests."""
    value = daemon.policy()
    for rule in value["rules"]:
        if rule["id"] in LOOKED_INTO:
            rule["methods"] = METHODS
        if rule["id"] == "talk":
            rule["inspect"] = True
    return value


@pytest.fixture(scope="module", autouse=True)
def inspected(_session_agent):
    _session_agent.reload(policy())
    yield
    _session_agent.reload(daemon.POLICY)


@pytest.fixture
def inside(clients):
    """Fails unless the agent saw these requests in a host's tunnels."""

    def look(host, *methods):
        seen = [r for r in clients.records() if r.get("host") == host]
        inner = {r["method"] for r in seen if r.get("path")}
        assert inner >= set(methods), seen

    return look


def test_curl_sees_a_certificate_of_ours(clients, hosts, inside, untouched):
    url = f"https://{hosts['plain']}/x"
    shown = ["-w", "%{stderr}by HTTP/%{http_version}"]
    used = clients.run(["curl", "-sSv", *shown, url])
    assert json.loads(used.out)["target"] == "/x", used
    assert "by HTTP/2" in used.err, used
    assert re.search(r"issuer:.*wayleave", used.err), used
    inside(hosts["plain"], "GET")


def test_curl_is_refused_inside(clients, hosts, untouched):
    url = f"https://{hosts['plain']}/x"
    used = clients.run(["curl", "-sSi", "-X", "DELETE", url])
    assert used.code == 0, used
    body = json.loads(used.out[used.out.index("\n{") :])
    assert body["code"] == body["error"]["code"] == "METHOD_NOT_ALLOWED"
    (final,) = clients.finals(id=body["id"])
    assert (final["method"], final["verdict"]) == ("DELETE", "deny")


def test_what_is_not_looked_into_stays_shut(clients, untouched):
    """Its own certificate comes through; the same bundle believes it."""
    url = f"https://{names.SCORE}/"
    used = clients.run(["curl", "-sv", "-o", "/dev/null", url])
    assert re.search(r"issuer:.*wayleave lab CA", used.err), used


@pytest.mark.parametrize("name", plain.PLAIN)
def test_a_python_client_posts(clients, hosts, inside, untouched, name):
    url = f"https://{hosts['plain']}/x"
    result = clients.python(plain.PLAIN[name], url)
    assert result.code == 0, result
    seen = json.loads(result.out)
    assert (seen["method"], seen["bytes"]) == ("POST", 100000)
    inside(hosts["plain"], "POST")


NODE = pytest.mark.skipif(
    not programs.installed("node"), reason="run ./bootstrap setup"
)


def node(clients, program, *words):
    env = programs.node_env()
    del env["NODE_EXTRA_CA_CERTS"]
    argv = programs.node(program, *words)
    return clients.run(argv, "node", env=env)


@NODE
@pytest.mark.parametrize("how", ["fetch", "undici", "https"])
def test_node_fetches(clients, hosts, inside, untouched, how):
    used = node(clients, "fetch.cjs", how, f"https://{hosts['plain']}/x")
    assert json.loads(used.out)["target"] == "/x", used
    inside(hosts["plain"], "GET")


@NODE
def test_node_writes_and_reads_a_blob(clients, inside, untouched):
    used = node(clients, "blob.cjs", names.ACCT1, "seen-node", "16")
    assert used.out.split() == [str(16 << 20), "true"], used
    inside(names.ACCT1, "PUT", "GET")


JAVA = pytest.mark.skipif(
    not programs.installed("java"), reason="run ./bootstrap setup"
)


@JAVA
@pytest.mark.parametrize("how", ["get", "connection"])
def test_java_fetches(clients, hosts, inside, untouched, how):
    argv = programs.java(None, how, f"https://{hosts['plain']}/x")
    used = clients.run(argv, "java")
    assert used.code == 0, used
    assert json.loads(used.out[used.out.index("{") :])["target"] == "/x"
    inside(hosts["plain"], "GET")


@JAVA
def test_java_writes_and_reads_a_blob(clients, inside, untouched):
    argv = programs.java(None, "blob", names.ACCT1, "seen-java", "4")
    used = clients.run(argv, "java")
    assert used.out.split() == [str(4 << 20), "true"], used
    inside(names.ACCT1, "PUT", "GET")


def test_git_clones_and_pushes(clients, shop, inside, untouched):
    tools.clone_and_push(clients, shop, "seen-clone")
    inside(names.PACKAGES, "GET", "POST")


MIB = 64 if paths.FULL else 16


def blob(container):
    """The client of test_data_python.py, with a container of its own."""
    code = data.BLOB.replace("sixty-four", container)
    return code.replace("64 << 20", f"{MIB} << 20")


def test_a_blob_goes_both_ways(clients, inside, untouched):
    result = clients.python(blob("seen-python"), names.ACCT1, timeout_s=120)
    assert result.out.split() == [str(MIB << 20), "True"], result
    inside(names.ACCT1, "PUT", "GET")


def test_keyvault_challenge_flow(clients, inside, untouched):
    data.test_keyvault_challenge_flow(clients, None)
    inside(names.VAULT, "PUT", "GET")


@pytest.mark.parametrize("name", ["websockets", "aiohttp"])
def test_websockets_talk_both_ways_inside(azure, clients, inside, name):
    azure.call("talk")
    code, host, client = plain.TALKS[name]
    result = clients.python(code, host, name=client)
    assert result.out.split() == ["True", "True"], result
    inside(host, "GET")
    clients.finals(host=host, method="GET")
    inner = [r for r in clients.records() if r.get("path")]
    assert {r["status"] for r in inner if r["event"] == "request"} == {101}
