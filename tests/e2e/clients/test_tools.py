"""Tools of the command line: curl, wget, git, pip."""

import json
import re

import pytest

from lab import names, packages, paths, zones

INDEX = f"https://{names.PACKAGES}"
DENIED = r"Denied {} id=[A-Z2-7]{{10}}"


@pytest.fixture
def shop(azure):
    """The lab's package server."""
    azure.call("packages")
    return INDEX


def test_curl_over_connect(clients, hosts, untouched):
    used = clients.run(["curl", "-sS", f"https://{hosts['plain']}/x"])
    assert json.loads(used.out)["target"] == "/x", used
    assert clients.allowed(hosts["plain"], "connect") == 1
    url = f"https://{hosts['foreign']}/"
    refused = clients.run(["curl", "-sS", "-i", url])
    assert refused.code == 56
    clients.refused(refused)
    assert re.search(DENIED.format("PUBLIC_ADDRESS"), refused.out), refused


def test_curl_in_absolute_form(clients, hosts, untouched):
    url = f"http://{zones.WEB}/x?q=1"
    used = clients.run(["curl", "-sS", "-d", "payload", url])
    seen = json.loads(used.out)
    assert (seen["method"], seen["target"]) == ("POST", "/x?q=1")
    assert seen["bytes"] == 7
    fields = dict(seen["headers"])
    assert fields["Content-Length"] == "7"
    assert "wayleave" in fields["Via"]
    argv = ["curl", "-sS", "--fail-with-body"]
    plain = clients.run([*argv, f"http://{names.ACCT1}/"])
    assert json.loads(plain.out)["code"] in ("PLAINTEXT", "PORT_NOT_ALLOWED")
    refused = clients.run([*argv, f"http://{hosts['unnamed']}/"])
    clients.refused(refused, "HOST_NOT_ALLOWED")


def test_curl_over_socks5(clients, hosts, untouched):
    argv = ["curl", "-sS", "--proxy", "socks5h://127.0.0.1:3180"]
    used = clients.run([*argv, f"https://{hosts['plain']}/x"])
    assert json.loads(used.out)["target"] == "/x", used
    assert clients.allowed(hosts["plain"], "socks5") == 1
    refused = clients.run([*argv, f"https://{hosts['foreign']}/"])
    assert refused.code == 97
    assert "(2)" in refused.err
    # SOCKS has no room for words: the person asks why.
    shown = clients.agent.cli("why", f"https://{hosts['foreign']}/")
    clients.refused(shown)


def test_wget_over_connect(clients, hosts, untouched):
    argv = ["wget", "-O", "-", f"--ca-certificate={paths.CA_FILE}"]
    used = clients.run([*argv, f"https://{hosts['plain']}/x"])
    assert json.loads(used.out)["target"] == "/x", used
    refused = clients.run([*argv, f"https://{hosts['foreign']}/"])
    assert refused.code == 4
    clients.refused(refused)
    assert re.search(DENIED.format("PUBLIC_ADDRESS"), refused.err), refused


def test_wget_in_absolute_form(clients, hosts, untouched):
    used = clients.run(["wget", "-O", "-", f"http://{zones.WEB}/x"])
    assert json.loads(used.out)["target"] == "/x", used
    refused = clients.run(["wget", "-O", "-", f"http://{hosts['unnamed']}/"])
    assert refused.code == 8
    clients.refused(refused, "HOST_NOT_ALLOWED")


def test_pip_installs_from_an_index(clients, hosts, shop, untouched):
    argv = [paths.PYTHON, "-m", "pip", "install", "--no-deps"]
    argv += ["--target", "pip-target", "--index-url"]
    used = clients.run([*argv, f"{shop}/simple", packages.NAME])
    assert used.code == 0, used
    code = "import lab_hello; print(lab_hello.TEXT)"
    env = {"PYTHONPATH": "pip-target"}
    assert clients.python(code, env=env).out.strip() == packages.SAYS
    assert clients.allowed(names.PACKAGES, "connect") >= 1
    index = f"https://{hosts['foreign']}/simple"
    argv[4:4] = ["--retries", "1"]
    refused = clients.run([*argv, index, packages.NAME])
    clients.refused(refused)
