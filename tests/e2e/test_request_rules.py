"""Rules that look into requests, where requests can be seen."""

import json

import pytest
from test_forward import head, say

from lab import daemon as lab_daemon
from lab import zones

WEB = zones.WEB
# The lab's policy, but what is in plain HTTP only as these say.
RULES = [
    {
        "id": "read",
        "effect": "allow",
        "hosts": [WEB],
        "ports": [80, 443],
        "route": "private-address",
        "methods": ["GET", "PUT"],
        "paths": ["/pub", "/pub/*"],
        "deny_sas": True,
    },
    {
        "id": "no-keys",
        "effect": "deny",
        "hosts": [WEB],
        "ports": [80],
        "paths": ["/pub/keys/*"],
    },
]


@pytest.fixture(scope="module")
def looking(_session_agent):
    """The agent, with those rules and no other."""
    agent = _session_agent
    policy = lab_daemon.policy()
    agent.reload({**policy, "rules": RULES, "tokens": [], "tests": []})
    yield agent
    agent.reload(lab_daemon.policy())


def ask(agent, line, *fields):
    answer = say(agent, head(line, "Connection: close", *fields))
    top, _, body = answer.partition("\r\n\r\n")
    words = top.split(" ")
    code = words[3] if words[2] == "Denied" else None
    return int(words[1]), code, body


PUT = (f"PUT http://{WEB}/pub/a", "Content-Length: 0")
COPY = "x-ms-copy-source: https:"
# What is sent, and what is said of it.
CASES = {
    "get": ((f"GET http://{WEB}/pub/a?b=c",), None),
    "spelled": ((f"GET http://{WEB}/p%75b/a",), None),
    "method": ((f"DELETE http://{WEB}/pub/a",), "METHOD_NOT_ALLOWED"),
    "override": (
        (f"GET http://{WEB}/pub/a", "X-HTTP-Method-Override: DELETE"),
        "METHOD_NOT_ALLOWED",
    ),
    "two overrides": (
        (*PUT, "X-HTTP-Method: GET", "X-Method-Override: PUT"),
        "BAD_REQUEST",
    ),
    "path": ((f"GET http://{WEB}/private",), "PATH_NOT_ALLOWED"),
    "two readings": ((f"GET http://{WEB}//pub/a",), "PATH_NOT_ALLOWED"),
    "parameter": ((f"GET http://{WEB}/pub/..;/x",), "BAD_REQUEST"),
    "deny": ((f"GET http://{WEB}/pub/keys/1",), "RULE_DENIES"),
    "deny in capitals": ((f"GET http://{WEB}/pub/KEYS/1",), "RULE_DENIES"),
    "signature": ((f"GET http://{WEB}/pub/a?%73ig=x",), "SAS_REFUSED"),
    "batch": (
        (f"PUT http://{WEB}/pub/a?comp=batch", "Content-Length: 0"),
        "METHOD_NOT_ALLOWED",
    ),
    "source": ((*PUT, f"{COPY}//{WEB}/pub/b"), None),
    "source elsewhere": (
        (*PUT, f"{COPY}//acct9.blob.core.windows.net/c/b"),
        "COPY_SOURCE_REFUSED",
    ),
    "source with a signature": (
        (*PUT, f"{COPY}//{WEB}/pub/b?sv=1&sig=x"),
        "SAS_REFUSED",
    ),
    "rename": ((*PUT, "x-ms-rename-source: /pub/b"), "COPY_SOURCE_REFUSED"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_seen_of_a_request_is_judged(looking, case):
    asked, code = CASES[case]
    status, said, body = ask(looking, *asked)
    record = looking.last_record()
    if code is None:
        # The lab's server knows not all methods; the agent let it through.
        assert said is None
        assert record["verdict"] == "allow"
        assert record["rule"] == "read"
        return
    assert (status, said) == (400 if code == "BAD_REQUEST" else 403, code)
    assert (record["verdict"], record["code"]) == ("deny", code)
    text = json.dumps(record)
    assert "ig=x" not in text
    told = json.loads(body)
    assert told["code"] == code
    if code != "BAD_REQUEST":
        assert told["unmet"] and told["fix"]


def test_a_tunnel_that_hides_it_is_there_to_be_inspected(looking):
    (got,) = looking.probe({"host": WEB})
    assert got["status"] == 200, got
    record = looking.last_record()
    assert (record["verdict"], record["rule"]) == ("allow", "read")
    for method in ((), ("--method", "GET")):
        why = looking.cli("why", "--json", f"https://{WEB}/pub/a", *method)
        said = json.loads(why.out)
        assert (said["verdict"], said["inspect"]) == ("allow", True)
    why = looking.cli(
        "why", "--json", f"https://{WEB}/pub/a", "--method", "DELETE"
    )
    said = json.loads(why.out)
    assert said["code"] == "METHOD_NOT_ALLOWED"
    assert json.loads(said["fix_rule"])["methods"] == ["DELETE"]
