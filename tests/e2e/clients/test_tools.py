"""Tools of the command line: curl, wget, git, pip."""

import json
import re

import pytest

from lab import names, packages, paths, zones
from lab.clients import told

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
    # Without -i it shows nothing but the status.
    refused = clients.run(told(["curl", "-sS", url]))
    assert refused.code == 56
    clients.refused(refused)


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
    # SOCKS has no room for words.
    argv = told([*argv, f"https://{hosts['foreign']}/"])
    clients.refused(clients.run(argv))


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


def clone_and_push(clients, shop, name):
    """A folder and a branch of that name."""
    url = f"{shop}/git/{packages.NAME}.git"
    used = clients.run(["git", "clone", "-q", url, name])
    assert used.code == 0, used
    script = (
        'cd "$0" && cat README && dd if=/dev/urandom of=more bs=64k count=40'
        " && git add . && git -c user.name=a -c user.email=a@a commit -qm more"
        ' && git push -q origin "HEAD:$0" && git ls-remote -q origin "$0"'
    )
    used = clients.run(["sh", "-c", script, name])
    assert used.code == 0, used
    assert packages.SAYS in used.out
    assert f"refs/heads/{name}" in used.out


def test_git_clones_and_pushes(clients, hosts, shop, untouched):
    clone_and_push(clients, shop, "clone")
    assert clients.allowed(names.PACKAGES, "connect") >= 3
    url = f"https://{hosts['foreign']}/git/{packages.NAME}.git"
    argv = ["git", "clone", "-q", url, "refused"]
    refused = clients.run(told(argv))
    assert refused.code == 128
    clients.refused(refused)
