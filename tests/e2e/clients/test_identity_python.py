"""azure-identity and MSAL for Python: tokens from the broker, and refusals."""

import json

import jwt
import pytest

from lab import names, paths

OUTSIDE = "https://graph.microsoft.com"

SYNC = """
import sys
from azure.identity import {credential}
scope = sys.argv[1].rstrip("/") + "/.default"
with {credential}({arguments}) as c:
    print(c.get_token(scope).token)
"""

ASYNC = """
import asyncio, sys
from azure.identity.aio import {credential}
async def main():
    scope = sys.argv[1].rstrip("/") + "/.default"
    async with {credential}({arguments}) as c:
        print((await c.get_token(scope)).token)
asyncio.run(main())
"""

MSAL = """
import json, requests, sys
from msal import {managed}, ManagedIdentityClient
c = ManagedIdentityClient({managed}({arguments}),
                          http_client=requests.Session())
a = c.acquire_token_for_client(resource=sys.argv[1])
print(a.get("access_token") or json.dumps(a))
sys.exit("access_token" not in a)
"""

APP_SERVICE = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")


def code(text, which):
    alice = names.IDENTITIES["alice"]["client_id"]
    user_assigned = f"client_id={alice!r}"
    default = {"credential": "DefaultAzureCredential", "arguments": ""}
    default["managed"] = "SystemAssignedManagedIdentity"
    selected = {
        "credential": "ManagedIdentityCredential",
        "managed": "UserAssignedManagedIdentity",
        "arguments": user_assigned,
    }
    return text.format(**(default if which == "default" else selected))


def claims(result):
    """Who the lab's authority says the token's bearer is."""
    assert result.code == 0, result
    token = result.out.split()[-1]
    return jwt.decode(token, options={"verify_signature": False})


WAYS = pytest.mark.parametrize("style", ["app-service", "imds"])
CLIENTS = pytest.mark.parametrize(
    "text", [SYNC, ASYNC, MSAL], ids=["sync", "async", "msal"]
)


def without(style):
    """`env -u` words: what azure-identity picks follows the variables."""
    if style == "app-service":
        return []
    return ["env", *(w for v in APP_SERVICE for w in ("-u", v))]


def ask(clients, text, style, which, audience):
    argv = [*without(style), paths.PYTHON, "-c"]
    return clients.run([*argv, code(text, which), audience])


@CLIENTS
@WAYS
def test_a_token_comes_from_the_broker(clients, untouched, text, style):
    found = claims(ask(clients, text, style, "default", names.ARM_AUDIENCE))
    assert found["aud"].rstrip("/") == names.ARM_AUDIENCE.rstrip("/")
    assert found["oid"] == names.IDENTITIES["alice"]["object_id"]
    told = [
        (r["workload"]["user"], r["verdict"])
        for r in clients.records()
        if r["event"] == "token" and "azure.com" in str(r["injected"])
    ]
    assert told.count(("alice", "allow")) == 1


@CLIENTS
def test_an_identity_may_be_named(clients, text):
    result = ask(clients, text, "app-service", "named", names.STORAGE_AUDIENCE)
    assert claims(result)["appid"] == names.IDENTITIES["alice"]["client_id"]


@CLIENTS
@WAYS
def test_a_token_without_a_grant_is_refused(clients, untouched, text, style):
    result = ask(clients, text, style, "default", OUTSIDE)
    clients.refused(result, "TOKEN_NOT_ALLOWED")


def test_another_identity_than_the_granted_is_refused(clients, untouched):
    text = MSAL.format(
        managed="UserAssignedManagedIdentity",
        arguments=f"client_id={names.IDENTITIES['bob']['client_id']!r}",
    )
    result = clients.python(text, names.STORAGE_AUDIENCE)
    clients.refused(result, "TOKEN_NOT_ALLOWED")
    assert "error" in json.loads(result.out)
