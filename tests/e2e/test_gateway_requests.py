"""Rules on requests, where a gateway sees them: methods, paths, shared
access signatures, the sources of copies."""

import pytest

from lab import gateways, names
from lab.gateways import head

RULED = {"to": "ruled"}
FOREIGN = "https://stranger.blob.core.windows.net/c/b"


def top(line, *fields):
    return head(line, *fields, **RULED)


@pytest.fixture(scope="module")
def ruled(gates):
    gates.reload(rules=gateways.ruled())
    yield gates
    gates.reload(rules=gateways.policy())


PASSING = {
    "below": top("GET /pub@"),
    "whole": top("GET /box?at=@"),
    "encoded letter": top("GET /p%75b@"),
    "encoded slash below": top("GET /pub@/dir%2Ffile"),
    "another method": top("PUT /pub@", "Content-Length: 0"),
    "signature of another kind": top("GET /pub@?signature=1&asig=2&x=sig"),
    "empty copy": top("PUT /pub@", "Content-Length: 0", "x-ms-version: 1"),
}


def test_what_a_rule_lets_through_arrives(ruled):
    for name, (answer, noted) in ruled.each(PASSING, **RULED).items():
        assert answer.status == 200, (name, answer)
        assert len(noted) == 1, name


REFUSED = {
    "METHOD_NOT_ALLOWED": {
        "method": top("DELETE /pub@"),
        "method in odd case": top("delete /pub@"),
        "override": top("PUT /pub@", "X-HTTP-Method-Override: DELETE"),
        "other override": top("PUT /pub@", "x-http-method: DELETE"),
        "third override": top("PUT /pub@", "X-METHOD-OVERRIDE: DELETE"),
        "batch": top("PUT /pub@?comp=batch", "Content-Length: 0"),
    },
    "PATH_NOT_ALLOWED": {
        "elsewhere": top("GET @"),
        "beside": top("GET /public@"),
        "in odd case": top("GET /PUB@"),
        "below what is whole": top("GET /box@"),
        "above": top("GET /?pub=@"),
    },
    "RULE_DENIES": {
        "kept": top("GET /pub/keep@"),
        "kept, encoded": top("GET /pub/%6beep@"),
    },
    "SAS_REFUSED": {
        "plain": top("GET /pub@?sv=1&sig=x"),
        "first": top("GET /pub@?sig=x"),
        "encoded": top("GET /pub@?%73ig=x"),
        "encoded twice": top("GET /pub@?%2573ig=x"),
        "odd case": top("GET /pub@?SiG=x"),
        "after a semicolon": top("GET /pub@?a=1;sig=x"),
        "spaced": top("GET /pub@?%20sig=x"),
        "broken escape": top("GET /pub@?s%ig=x"),
        "in a source": top(
            "PUT /pub@", f"x-ms-copy-source: https://{names.ACCT1}/c/b?sig=x"
        ),
    },
    "COPY_SOURCE_REFUSED": {
        "foreign": top("PUT /pub@", f"x-ms-copy-source: {FOREIGN}"),
        "address": top("PUT /pub@", "x-ms-copy-source: https://10.20.0.5/c/b"),
        "plain": top("PUT /pub@", f"x-ms-copy-source: http://{names.ACCT1}/c"),
        "twice": top(
            "PUT /pub@",
            f"x-ms-copy-source: https://{names.ACCT1}/c/b",
            f"X-MS-Copy-Source: {FOREIGN}",
        ),
        "userinfo": top(
            "PUT /pub@",
            f"x-ms-copy-source: https://{names.ACCT1}@evil.example/",
        ),
        "rename": top("PUT /pub@", f"x-ms-rename-source: {FOREIGN}"),
    },
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_a_rule_forbids_never_leaves(ruled, code):
    for name, (answer, noted) in ruled.each(REFUSED[code], **RULED).items():
        assert noted == [], name
        assert (answer.status, answer.code) == (403, code), (name, answer)


DOUBTFUL = {
    "two slashes": top("GET /pub//@"),
    "encoded slash": top("GET /pub%2f..@"),
    "hidden dots": top("GET /pub/%2e%2e@"),
    "encoded twice": top("GET /pub/%252e%252e@"),
    "backslash": top("GET /pub/..%5c@"),
    "slash for the rule": top("GET /pub%2fkeep@"),
    "slashes for the rule": top("GET /pub//keep@"),
}


def test_a_path_with_two_readings_never_decides(ruled):
    for name, (answer, noted) in ruled.each(DOUBTFUL, **RULED).items():
        if name == "two slashes" and answer.status == 200:
            assert len(noted) == 1
            continue
        assert noted == [], name
        assert answer.status in (400, 403), (name, answer)


def test_where_a_token_is_added_no_other_grant_passes(ruled):
    said = {
        "signature": head("GET @?sv=1&sig=x"),
        "source's token": head(
            "PUT @", "x-ms-copy-source-authorization: Bearer x"
        ),
        "second token": head(
            "PUT @", "x-ms-authorization-auxiliary: Bearer x"
        ),
    }
    for name, (answer, noted) in ruled.each(said).items():
        assert noted == [], name
        assert answer.status == 403, (name, answer)
        fits = {"SAS_REFUSED", "AUTHORIZATION_PRESENT", "COPY_SOURCE_REFUSED"}
        assert answer.code in fits, name
