"""Storage and secrets from Python: every byte arrives, or the code shows."""

import pytest

from lab import names

BLOB = """
import hashlib, os, sys
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
s = BlobServiceClient("https://" + sys.argv[1], retry_total=0,
                      credential=DefaultAzureCredential())
s.create_container("sixty-four")
data = os.urandom(64 << 20)
b = s.get_blob_client("sixty-four", "big")
b.upload_blob(data, max_concurrency=4)
back = b.download_blob(max_concurrency=4).readall()
print(len(back), hashlib.sha256(data).digest() == hashlib.sha256(back).digest())
"""

ADLFS = """
import sys
from adlfs import AzureBlobFileSystem
from azure.identity.aio import DefaultAzureCredential
fs = AzureBlobFileSystem(account_name=sys.argv[1], anon=False,
                         credential=DefaultAzureCredential())
fs.mkdir("adlfs")
fs.pipe("adlfs/year=2026/a.csv", b"x,y\\n1,2\\n")
with fs.open("adlfs/year=2026/b.csv", "wb") as f:
    f.write(b"z" * 70000)
print(fs.cat("adlfs/year=2026/a.csv").decode().split()[1])
print([(f["name"], f["size"]) for f in fs.ls("adlfs/year=2026", detail=True)])
"""

# Arrow's threads may still run when the interpreter takes itself down, which
# aborts it (apache/arrow#34314): it is left without that.
DELTA = """
import os
import sys
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
at = "az://delta/sales"
how = {"account_name": sys.argv[1]}
if len(sys.argv) > 2:
    how["azure_container_name"] = "delta"
write_deltalake(at, pa.table({"n": [1, 2, 3]}), storage_options=how)
write_deltalake(at, pa.table({"n": [4]}), mode="append", storage_options=how)
for version in (0, 1):
    t = DeltaTable(at, version=version, storage_options=how)
    print(sorted(t.to_pyarrow_table()["n"].to_pylist()), flush=True)
os._exit(0)
"""

VAULT = """
import sys
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
k = SecretClient("https://" + sys.argv[1], DefaultAzureCredential(),
                 retry_total=0)
k.set_secret("matrix", "value")
print(k.get_secret("matrix").value)
"""

CONTAINER = """
import sys
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
BlobServiceClient("https://" + sys.argv[1],
    credential=DefaultAzureCredential()).create_container(sys.argv[2])
"""


def account(host):
    return host.split(".")[0]


def test_blob_64_mib_both_ways(clients, untouched):
    result = clients.python(BLOB, names.ACCT1, timeout_s=120)
    assert result.out.split() == [str(64 << 20), "True"], result
    ended = [
        r
        for r in clients.records()
        if r["event"] == "request" and r["host"] == names.ACCT1
    ]
    assert sum(r["bytes_up"] for r in ended) > 64 << 20
    assert sum(r["bytes_down"] for r in ended) > 64 << 20


def test_blob_is_refused(clients, hosts, untouched):
    clients.refused(clients.python(BLOB, hosts["foreign"], timeout_s=120))


def test_adlfs_writes_reads_lists(clients, untouched):
    result = clients.python(ADLFS, account(names.ACCT1))
    assert result.out.splitlines() == [
        "1,2",
        "[('adlfs/year=2026/a.csv', 8), ('adlfs/year=2026/b.csv', 70000)]",
    ], result
    assert clients.allowed(names.ACCT1)


def test_a_delta_table_is_written_and_read_back_in_time(clients, untouched):
    clients.python(CONTAINER, names.ACCT1, "delta")
    result = clients.python(DELTA, account(names.ACCT1))
    assert result.out.splitlines() == ["[1, 2, 3]", "[1, 2, 3, 4]"], result
    assert clients.allowed(names.ACCT1)


def test_a_delta_table_is_refused(clients, hosts, untouched):
    """Its HTTP library drops the proxy's answer."""
    result = clients.told(DELTA, account(hosts["foreign"]), timeout_s=180)
    assert "tunnel error" in result.err, result
    clients.refused(result)


def test_a_delta_table_without_a_grant_is_refused(clients, untouched):
    result = clients.python(
        DELTA, account(names.ACCT1), user="daemon", timeout_s=180
    )
    clients.refused(result, "TOKEN_NOT_ALLOWED")


def test_keyvault_challenge_flow(clients, untouched):
    result = clients.python(VAULT, names.VAULT)
    assert result.out.split() == ["value"], result
    assert clients.allowed(names.VAULT)


@pytest.mark.parametrize("which", ["unnamed", "foreign"])
def test_keyvault_is_refused(clients, hosts, untouched, which):
    code = {"unnamed": "HOST_NOT_ALLOWED", "foreign": "PUBLIC_ADDRESS"}[which]
    host = {"unnamed": "kv2.vault.azure.net", "foreign": names.VAULT_PUBLIC}
    clients.refused(clients.python(VAULT, host[which], timeout_s=120), code)


LAKE = """
import hashlib, os, sys
from azure.identity import DefaultAzureCredential
from azure.storage.filedatalake import DataLakeServiceClient
s = DataLakeServiceClient("https://" + sys.argv[1], retry_total=0,
                          credential=DefaultAzureCredential())
fs = s.create_file_system("lake")
fs.create_directory("in/raw")
data = os.urandom(5 << 20)
f = fs.get_file_client("in/raw/a.bin")
f.create_file()
f.append_data(data[: 1 << 20], 0)
f.append_data(data[1 << 20 :], 1 << 20)
f.flush_data(len(data))
f.rename_file("lake/in/b.bin")
b = fs.get_file_client("in/b.bin")
print(b.download_file().readall() == data, f.exists())
print([(p.name, p.is_directory, p.content_length) for p in fs.get_paths()])
fs.get_directory_client("in").delete_directory()
print(list(fs.get_paths()))
"""


def test_the_lake_is_written_renamed_listed(clients, untouched):
    result = clients.python(LAKE, names.DFS1)
    assert result.out.splitlines() == [
        "True False",
        "[('in/b.bin', False, 5242880), ('in/raw', True, 0)]",
        "[]",
    ], result
    assert clients.allowed(names.DFS1)


def test_the_lake_is_refused(clients, untouched):
    result = clients.python(LAKE, names.DFS_PUBLIC)
    clients.refused(result)
