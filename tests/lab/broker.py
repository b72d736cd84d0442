"""The broker in raw bytes: how to ask it, and what its answers promise."""

import hashlib
import hmac
import json
import pwd

from . import daemon, names, paths

TCP = ["127.0.0.1", 3181]
UNIX = daemon.BROKER_SOCKET
PROXY = ["127.0.0.1", 3180]
LITERAL = "Host: 127.0.0.1:3181"
METADATA = "Metadata: true"
IMDS = "/metadata/identity/oauth2/token"
MSI = "/msi/token"
DATABRICKS = "/databricks/token"
STORAGE = names.STORAGE_AUDIENCE
VERSION = "?api-version=2018-02-01"
RESOURCE = f"&resource={STORAGE}"
ALICE, BOB = names.IDENTITIES["alice"], names.IDENTITIES["bob"]
DB_FIELDS = [
    "X-Databricks-Metadata-Version: 1",
    f"X-Databricks-Host: https://{names.DATABRICKS}",
]
MEMBERS = [
    *("access_token", "client_id", "expires_in", "expires_on"),
    *("ext_expires_in", "not_before", "resource", "token_type"),
]


def head(target, *fields, host=LITERAL, method="GET", version="1.1"):
    lines = [f"{method} {target} HTTP/{version}", *([host] if host else [])]
    return "\r\n".join([*lines, *fields, "", ""])


def raw(agent, *orders, user="alice", unit=None):
    """See lab.raw; a text is an order to the broker's port by itself."""
    asked = [
        {"to": TCP, "send": [o]} if isinstance(o, str) else o for o in orders
    ]
    result = agent.lab.run_as(
        user,
        [paths.PYTHON, "-m", "lab.raw"],
        unit=unit,
        env={"PYTHONPATH": str(paths.SRC / "tests")},
        stdin=json.dumps(asked),
        timeout_s=120,
    )
    assert result.code == 0, result
    return [json.loads(line) for line in result.out.splitlines()]


def state_hmac(agent, purpose, user):
    """What the state key makes of a purpose and a uid; root may read it."""
    code = "import sys;print(open('/var/lib/wayleave/broker.key','rb').read().hex())"
    key = bytes.fromhex(agent.lab.python_as("root", code).out.strip())
    text = f"{purpose} {pwd.getpwnam(user).pw_uid}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def field(answer, name):
    found = [v for k, v in answer["fields"] if k.lower() == name.lower()]
    assert len(found) == 1, (name, answer)
    return found[0]


def check_token(answer, resource=STORAGE, client=ALICE["client_id"]):
    """Every promise about a good answer in the platform's shape."""
    assert answer.get("status") == 200, answer
    assert field(answer, "Content-Type") == "application/json; charset=utf-8"
    assert int(field(answer, "Content-Length")) == len(answer["body"])
    assert field(answer, "Cache-Control") == "no-store"
    kinds = {k.lower() for k, _ in answer["fields"]}
    assert not kinds & {"transfer-encoding", "location", "set-cookie"}
    body = json.loads(answer["body"])
    assert list(body) == MEMBERS
    assert all(isinstance(v, str) for v in body.values())
    assert body["resource"] == resource
    assert body["token_type"] == "Bearer"
    assert body["client_id"] == client
    assert body["access_token"].count(".") == 2
    left = int(body["expires_on"]) - answer["at"]
    assert abs(left - int(body["expires_in"])) < 3
    assert body["ext_expires_in"] == body["expires_in"]
    assert int(body["not_before"]) <= answer["at"] + 1
    return body


def check_refusal(answer, status, code):
    assert answer.get("status") == status, answer
    assert field(answer, "Content-Type") == "application/json; charset=utf-8"
    assert int(field(answer, "Content-Length")) == len(answer["body"])
    assert "eyJ" not in answer["body"]
    body = json.loads(answer["body"])
    assert code in body["error_description"], body
    assert body["error"] not in ("", None)
    # Docker Desktop's special case: azure-identity reads this as "no IMDS".
    assert "unreachable" not in answer["body"]
    return body
