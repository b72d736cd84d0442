"""azure-cli: az login --identity, and what follows it."""

import json

import pytest

from lab import clients as programs
from lab import names

pytestmark = pytest.mark.skipif(
    not programs.installed("az"), reason="run ./bootstrap setup"
)


@pytest.fixture
def az(clients):
    def run(*words, user="alice", **order):
        order = {"env": {"PYTHONDONTWRITEBYTECODE": "1"}, **order}
        argv = programs.az(*words)
        return clients.run(argv, "az", user, timeout_s=120, **order)

    return run


@pytest.fixture
def logged_in(az):
    result = az("login", "--identity", "--output", "json")
    assert result.code == 0, result
    return json.loads(result.out)


def test_az_logs_in_with_the_identity(clients, az, logged_in, untouched):
    (account,) = logged_in
    assert account["id"] == names.SUBSCRIPTION
    assert account["user"]["name"] == "systemAssignedIdentity"
    shown = az("account", "show", "--query", "tenantId", "-o", "tsv")
    assert shown.out.split() == [names.TENANT], shown
    assert clients.allowed(names.ARM)


def test_az_keeps_a_secret_and_a_blob(clients, az, logged_in, untouched):
    where = ["--vault-name", names.VAULT.split(".")[0], "--name", "az"]
    put = az("keyvault", "secret", "set", *where, "--value", "sesame")
    assert put.code == 0, put
    got = az("keyvault", "secret", "show", *where, "--query", "value")
    assert json.loads(got.out) == "sesame", got
    account = names.ACCT1.split(".")[0]
    where = ["--auth-mode", "login", "--account-name", account]
    made = az("storage", "container", "create", *where, "--name", "by-az")
    assert json.loads(made.out)["created"] is True, made
    where += ["--container-name", "by-az", "--name", "b"]
    put = az("storage", "blob", "upload", *where, "--data", "hello")
    assert put.code == 0, put
    file = ["--file", "from-az", "--no-progress", "-o", "none"]
    got = az("storage", "blob", "download", *where, *file)
    assert got.code == 0, got
    assert clients.run(["cat", "from-az"]).out == "hello"


def test_az_without_a_grant_is_refused(clients, az, untouched):
    result = az("login", "--identity", user="daemon")
    clients.refused(result, "TOKEN_NOT_ALLOWED")


def test_az_is_refused(clients, az, logged_in, untouched):
    where = ["--vault-name", names.VAULT_PUBLIC.split(".")[0], "--name", "x"]
    clients.refused(az("keyvault", "secret", "show", *where))
