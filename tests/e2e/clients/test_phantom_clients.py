"""Clients that hold phantoms: what the broker gives them is of no use
elsewhere, and the agent swaps it inside their tunnels."""

import json
import time

import jwt
import pytest
import test_data_python as data
import test_mlflow_python as models
from test_inspected import JAVA, MIB, NODE, blob, node

from lab import clients as programs
from lab import daemon, gateways, names, paths

INJECTED = {
    "lake": names.STORAGE_AUDIENCE,
    "vault": names.VAULT_AUDIENCE,
    "mlflow": names.ARM_AUDIENCE,
    "arm": names.ARM_AUDIENCE,
}


def policy():
    """The lab's, but that nobody is given a real token."""
    value = daemon.policy()
    for rule in value["rules"]:
        if rule["id"] in INJECTED:
            rule.update(gateways.inject(INJECTED[rule["id"]]))
    # The workspace hands out a signature for each artifact of a run: more
    # than a token's rule lets pass.
    artifacts = {"effect": "allow", "hosts": [names.ACCT1]}
    artifacts["paths"] = ["/azureml/*"]
    value["rules"].append({"id": "artifacts", **artifacts})
    value["tokens"] = [
        {
            "id": "phantoms",
            "workloads": ["alice"],
            "audiences": sorted(set(INJECTED.values())),
            "identities": ["alice"],
            "form": "phantom",
        }
    ]
    return value


@pytest.fixture(scope="module", autouse=True)
def phantoms(_session_agent):
    _session_agent.reload(policy())
    yield
    _session_agent.reload(daemon.POLICY)


@pytest.fixture
def swapped(clients):
    """Fails unless a host's requests got real tokens at the exit."""

    def look(host):
        opened = [
            r
            for r in clients.records()
            if r["event"] == "open" and r["host"] == host and r["path"]
        ]
        assert opened
        for record in opened:
            assert record["injected"]["identity"] == "alice", record

    return look


TOKEN = f"""
from azure.identity import DefaultAzureCredential
print(DefaultAzureCredential().get_token(
    "{names.STORAGE_AUDIENCE}.default").token)
"""


def test_what_a_client_is_given_is_no_token_of_azures(clients, untouched):
    token = clients.python(TOKEN).out.strip()
    found = jwt.decode(token, options={"verify_signature": False})
    assert found["iss"] == "urn:wayleave:wayleave"
    assert found["oid"] == names.IDENTITIES["alice"]["object_id"]
    argv = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}"]
    argv += ["-H", f"Authorization: Bearer {token}"]
    argv += ["-H", "x-ms-version: 2021-08-06"]
    url = f"https://{names.ACCT1}/?comp=list"
    straight = clients.lab.run_as(
        "root", [*argv, "--cacert", paths.CA_FILE, url]
    )
    assert straight.out in ("401", "403"), straight
    assert clients.run([*argv, url]).out == "200"


def test_a_blob_goes_both_ways(clients, swapped, untouched):
    result = clients.python(blob("phantom"), names.ACCT1, timeout_s=120)
    assert result.out.split() == [str(MIB << 20), "True"], result
    swapped(names.ACCT1)


def test_keyvault_challenge_flow(clients, swapped, untouched):
    data.test_keyvault_challenge_flow(clients, None)
    swapped(names.VAULT)


def test_a_delta_table_is_written_and_read_back_in_time(
    clients, swapped, untouched
):
    clients.python(data.CONTAINER, names.ACCT1, "phantom-delta")
    code = data.DELTA.replace("az://delta/", "az://phantom-delta/")
    result = clients.python(code, data.account(names.ACCT1))
    assert result.out.splitlines() == ["[1, 2, 3]", "[1, 2, 3, 4]"], result
    swapped(names.ACCT1)


def test_the_lake_is_written_renamed_listed(clients, swapped, untouched):
    code = data.LAKE.replace('"lake"', '"phantom-lake"')
    code = code.replace("lake/in/b.bin", "phantom-lake/in/b.bin")
    result = clients.python(code, names.DFS1)
    assert result.out.splitlines()[0] == "True False", result
    assert result.out.splitlines()[-1] == "[]", result
    swapped(names.DFS1)


def test_mlflow_logs_registers_and_loads(azure, clients, swapped, untouched):
    azure.call("mlflow")
    env = {**models.MLFLOW_ENV, "MLFLOW_TRACKING_URI": names.TRACKING_URI}
    argv = (models.MLFLOW, "by-phantom")
    result = clients.python(*argv, env=env, timeout_s=120)
    lines = [x for x in result.out.splitlines() if x[:1] in "{h["]
    expected = ["{'alpha': '1'} {'loss': 0.5}", "hello", "[2, 4, 6]"]
    assert lines == expected, result
    swapped(names.AZUREML)


@NODE
def test_node_writes_and_reads_a_blob(clients, swapped, untouched):
    used = node(clients, "blob.cjs", names.ACCT1, "phantom-node", "16")
    assert used.out.split() == [str(16 << 20), "true"], used
    swapped(names.ACCT1)


@JAVA
def test_java_writes_and_reads_a_blob(clients, swapped, untouched):
    argv = programs.java(None, "blob", names.ACCT1, "phantom-java", "4")
    used = clients.run(argv, "java")
    assert used.out.split() == [str(4 << 20), "true"], used
    swapped(names.ACCT1)


# Works with what it was given, then stays to be looked at.
HOLDER = """
import time
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
c = DefaultAzureCredential()
s = BlobServiceClient("https://acct1.blob.core.windows.net", c)
kept = c.get_token("https://storage.azure.com/.default")
for i in range(5):
    print(len(list(s.list_containers())), flush=True)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_client_holds_no_byte_of_a_token(clients, azure, untouched):
    argv = [paths.PYTHON, "-c", HOLDER]
    env = clients.environment()
    pid = azure.start_as("alice", argv, env=env, log="phantoms.log")
    try:
        end = time.monotonic() + 30
        while "ready" not in azure.read(paths.STATE / "phantoms.log"):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert azure.call("held", pid=pid) == 0
    finally:
        azure.call("signal", pid=pid, number=9)
    assert azure.call("leaks") == []


def test_a_shared_access_signature_is_refused(clients, untouched):
    url = f"https://{names.ACCT1}/c/b?sv=2021-08-06&sig=x"
    used = clients.run(["curl", "-sS", url])
    assert json.loads(used.out)["code"] == "SAS_REFUSED", used
