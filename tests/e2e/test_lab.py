"""The lab is honest: clients work in it directly, and it does refuse."""

import json
import subprocess
import sys
import time

import pytest

import lab
from lab import names, paths, seen, zones


@pytest.fixture(scope="module")
def azure():
    """A lab without the agent, which would ask IMDS in between."""
    with lab.up() as running:
        yield running


DIRECT = {"REQUESTS_CA_BUNDLE": str(paths.CA_FILE)}
TOKEN_URL = (
    f"http://{names.IMDS}/metadata/identity/oauth2/token"
    "?api-version=2018-02-01&resource="
)


def ask(azure, resource, *options):
    argv = ["curl", "-sS", "-m", "5", "-H", "Metadata: true", *options]
    return azure.run_as("alice", [*argv, TOKEN_URL + resource])


def test_users_are_real_and_units_are_cgroups(azure):
    result = azure.run_as("bob", ["id", "-un"], unit="job-1.service")
    assert result.out == "bob\n"
    shown = azure.run_as(
        "bob", ["cat", "/proc/self/cgroup"], unit="job-1.service"
    )
    assert shown.out.strip().endswith("/job-1.service")


def test_imds_signs_real_tokens_with_eight_strings(azure, imds):
    body = json.loads(ask(azure, names.STORAGE_AUDIENCE).out)
    assert list(body) == [
        "access_token",
        "client_id",
        "expires_in",
        "expires_on",
        "ext_expires_in",
        "not_before",
        "resource",
        "token_type",
    ]
    assert all(isinstance(v, str) for v in body.values())
    assert body["access_token"].count(".") == 2


def test_imds_needs_its_header(azure):
    url = TOKEN_URL + names.STORAGE_AUDIENCE
    result = azure.run_as("alice", ["curl", "-sSi", url])
    assert " 400 " in result.out.splitlines()[0]


@pytest.mark.parametrize("fault", ["400", "404", "410", "429", "500", "503"])
def test_imds_fails_as_switched_and_heals(azure, imds, fault):
    imds(fault, retry_after=3, times=1)
    first = ask(azure, names.ARM_AUDIENCE, "-i").out
    assert f" {fault} " in first.splitlines()[0]
    assert "Retry-After: 3" in first
    second = ask(azure, names.ARM_AUDIENCE, "-i").out
    assert " 200 " in second.splitlines()[0]


def test_imds_hangs_and_sends_garbage(azure, imds):
    imds("hang")
    assert ask(azure, names.ARM_AUDIENCE, "-m", "1").code == 28
    imds("garbage")
    assert "<html>" in ask(azure, names.ARM_AUDIENCE).out
    imds("stale")
    body = json.loads(ask(azure, names.ARM_AUDIENCE).out)
    left = int(body["expires_on"]) - time.time()
    assert int(body["expires_in"]) > left + 3000


def test_dns_answers_chains_and_denies(azure):
    code = (
        "import socket, sys\n"
        "for h in sys.argv[1:]:\n"
        "    try: print(socket.gethostbyname(h))\n"
        "    except OSError as e: print(type(e).__name__)\n"
    )
    hosts = [names.ACCT1, *(zones.ROUTES[f"R{i}"][0] for i in (1, 2, 4, 7))]
    seen = azure.python_as("alice", code, *hosts).out.split()
    assert seen == [
        names.ENDPOINTS[names.ACCT1],
        names.PUBLIC,
        names.PUBLIC,
        "gaierror",
        names.CASES_ADDRESS,
    ]


def test_storage_refuses_who_has_no_role(azure):
    code = f"""
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient
c = ManagedIdentityCredential(
    client_id="{names.IDENTITIES["alice"]["client_id"]}")
s = BlobServiceClient("https://{names.ACCT1}", credential=c)
s.create_container("direct")
s.get_blob_client("direct", "b").upload_blob(b"x" * 70000)
print(len(s.get_blob_client("direct", "b").download_blob().readall()))
try:
    BlobServiceClient("https://{names.ACCT2}", credential=c).create_container(
        "direct")
except Exception as e:
    print(e.error_code)
"""
    result = azure.python_as("alice", code, env=DIRECT)
    assert result.out.split() == ["70000", "AuthorizationPermissionMismatch"]


@pytest.mark.parametrize("host", [names.VAULT, names.AZUREML, names.SCORE])
def test_services_refuse_a_wrong_audience(azure, host):
    wrong = azure.call("mint", resource="https://graph.microsoft.com")
    argv = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}"]
    argv += ["--cacert", paths.CA_FILE, "-H", f"Authorization: Bearer {wrong}"]
    result = azure.run_as("alice", [*argv, f"https://{host}/secrets/x"])
    assert result.out == "401"


def test_public_connections_are_counted():
    """In a lab of its own: the session's counters must stay at 0."""
    with lab.up() as other:
        assert other.public() == 0
        url = f"https://{names.LOGIN}/"
        other.run_as("bob", ["curl", "-sSk", "-m", "3", url])
        assert other.public() == 1


def test_nothing_is_left_after_a_kill_9():
    code = "import lab, os; l = lab.up(); print(l.pid, flush=True); "
    code += "os.kill(os.getpid(), 9)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(paths.REPO / "tests"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    pid = int(run.stdout)
    for _ in range(100):
        try:
            with open(f"/proc/{pid}/stat") as f:
                gone = ") Z " in f.read()
        except FileNotFoundError:
            gone = True
        if gone:
            break
        time.sleep(0.05)
    assert gone


NOTED = """
import http.client, ssl, sys
tls = ssl.create_default_context(cafile=sys.argv[1])
c = http.client.HTTPSConnection(sys.argv[2], 443, context=tls)
c.putrequest("POST", "/a?b=1")
for value in ("Bearer " + sys.argv[3], "Basic eA=="):
    c.putheader("authorization", value)
c.putheader("Transfer-Encoding", "chunked")
c.endheaders()
c.send(b"3\\r\\nabc\\r\\n0\\r\\nX-Last: 1\\r\\n\\r\\n")
print(c.getresponse().read().decode())
"""


def test_the_noting_origin_tells_whose_token_came(azure):
    token = azure.call("mint", identity="bob", resource=names.SEEN_AUDIENCE)
    argv = [str(paths.CA_FILE), names.SEEN, token]
    answer = azure.python_as("alice", NOTED, *argv)
    assert json.loads(answer.out)["bytes"] == 3, answer
    assert token not in answer.out
    (noted,) = azure.call("seen")
    assert noted["line"] == "POST /a?b=1 HTTP/1.1"
    assert noted["authorization"] == [
        f"bob {names.SEEN_AUDIENCE}",
        "Basic eA==",
    ]
    assert noted["trailers"] == ["X-Last: 1"]
    assert azure.call("seen") == []


def test_each_proof_of_a_name_is_as_good_as_it_says(azure):
    azure.call("proofs")
    urls = [f"https://{names.PROOFS}:{port}/" for port in seen.PROOFS]
    argv = ["curl", "-s", "--cacert", paths.CA_FILE, "-w", "%{http_code}\n"]
    argv += [x for url in urls for x in (url, "-o", "/dev/null")]
    told = azure.run_as("alice", argv).out.split()
    good = [port for port, (_, _, fits) in seen.PROOFS.items() if fits]
    assert [told[i] for i in range(len(good))] == ["200"] * len(good)
    # curl takes a subject without other names.
    rest = dict(zip(seen.PROOFS, told, strict=True))
    assert {p for p, code in rest.items() if code == "200"} <= {*good, 8522}
