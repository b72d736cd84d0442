"""Tokens through localhost: whose, for what, and in every client's shape."""

import json
import time

import pytest

from lab import names

CREDENTIAL = """
import sys, jwt
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
kw = dict(a.split("=", 1) for a in sys.argv[2:])
c = ManagedIdentityCredential(**kw) if kw else DefaultAzureCredential()
try:
    t = c.get_token(sys.argv[1] + "/.default")
    claims = jwt.decode(t.token, options={"verify_signature": False})
    print(claims["oid"], claims["aud"], claims["tid"])
except Exception as e:
    print("REFUSED", type(e).__name__, e)
"""
STORAGE = names.STORAGE_AUDIENCE
SCOPE = STORAGE.rstrip("/")
ALICE = names.IDENTITIES["alice"]


def broker(agent, query, *fields, user="alice", path=None, method="GET"):
    """One raw request to the broker; (status, body)."""
    path = path or "/metadata/identity/oauth2/token"
    argv = ["curl", "-sS", "-m", "20", "-X", method, "-w", "\n%{http_code}"]
    for field in fields:
        argv += ["-H", field]
    url = f"http://127.0.0.1:3181{path}?{query}"
    result = agent.lab.run_as(user, [*argv, url])
    body, _, status = result.out.rpartition("\n")
    return int(status), body


def token_query(resource=STORAGE, **selectors):
    pairs = {"api-version": "2018-02-01", "resource": resource, **selectors}
    return "&".join(f"{k}={v}" for k, v in pairs.items())


def test_azure_identity_gets_a_real_token(agent):
    out = agent.python(CREDENTIAL, SCOPE).out.split()
    assert out[:1] == [ALICE["object_id"]]
    assert out[1].rstrip("/") == SCOPE
    assert out[2] == names.TENANT


@pytest.mark.parametrize("style", ["imds", "msi"])
def test_azure_identity_in_its_other_styles(agent, style):
    env = agent.environment("alice")
    header = env.pop("IDENTITY_HEADER")
    env.pop("IDENTITY_ENDPOINT")
    if style == "imds":
        env["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = "http://127.0.0.1:3181"
    else:
        env.pop("AZURE_POD_IDENTITY_AUTHORITY_HOST", None)
        env["MSI_ENDPOINT"] = "http://127.0.0.1:3181/msi/token"
        env["MSI_SECRET"] = header
    result = agent.lab.python_as("alice", CREDENTIAL, SCOPE, env=env)
    assert result.out.split()[:1] == [ALICE["object_id"]], result


def test_a_selector_chooses_among_the_granted(agent):
    own = agent.python(CREDENTIAL, SCOPE, f"client_id={ALICE['client_id']}")
    assert own.out.split()[:1] == [ALICE["object_id"]]
    bob = names.IDENTITIES["bob"]["client_id"]
    refused = agent.python(CREDENTIAL, SCOPE, f"client_id={bob}")
    assert refused.out.startswith("REFUSED")


def test_an_audience_outside_the_grant_is_refused_and_recorded(agent):
    status, body = broker(
        agent, token_query(names.ARM_AUDIENCE), "Metadata: true", user="bob"
    )
    assert status == 400
    assert "TOKEN_NOT_ALLOWED" in body
    record = agent.last_record()
    assert (record["event"], record["code"]) == ("token", "TOKEN_NOT_ALLOWED")
    assert record["workload"]["user"] == "bob"


def test_the_answer_is_in_the_platforms_order_and_types(agent):
    status, body = broker(agent, token_query(), "Metadata: true")
    assert status == 200
    answer = json.loads(body)
    assert list(answer) == [
        "access_token",
        "client_id",
        "expires_in",
        "expires_on",
        "ext_expires_in",
        "not_before",
        "resource",
        "token_type",
    ]
    assert all(isinstance(v, str) for v in answer.values())
    assert answer["resource"] == STORAGE


@pytest.mark.parametrize(
    "field",
    [
        "X-Forwarded-For: 1.2.3.4",
        "Forwarded: for=1.2.3.4",
        "Via: 1.1 x",
        "Origin: http://evil.example",
        "Referer: http://evil.example/",
        "Sec-Fetch-Site: cross-site",
        "Host: evil.example",
    ],
)
def test_what_a_browser_or_relay_sends_is_refused(agent, field):
    status, body = broker(agent, token_query(), "Metadata: true", field)
    assert status == 400
    assert "access_token" not in body


def test_without_the_metadata_header_it_is_400_at_once(agent):
    start = time.monotonic()
    assert broker(agent, token_query())[0] == 400
    # Who waits for a token waits for five seconds.
    assert time.monotonic() - start < 3


def test_wrong_header_secret_is_refused(agent):
    query = f"api-version=2019-08-01&resource={STORAGE}"
    fields = ["X-IDENTITY-HEADER: " + "0" * 64]
    status, body = broker(agent, query, *fields, path="/msi/token")
    assert status in (400, 401, 403)
    assert "access_token" not in body


def test_one_users_header_is_no_use_to_another(agent):
    header = agent.environment("alice")["IDENTITY_HEADER"]
    query = f"api-version=2019-08-01&resource={STORAGE}"
    fields = [f"X-IDENTITY-HEADER: {header}"]
    assert broker(agent, query, *fields, path="/msi/token")[0] == 200
    stolen = broker(agent, query, *fields, path="/msi/token", user="bob")
    assert stolen[0] in (400, 401, 403)


def test_platform_metadata_is_404_and_unknown_paths_too(agent):
    path = "/metadata/identity/getplatformmetadata"
    assert broker(agent, "", "Metadata: true", path=path)[0] == 404
    assert broker(agent, "", "Metadata: true", path="/else")[0] == 404


def test_a_refusal_before_any_grant_is_recorded_told_once_and_explained(agent):
    told = agent.journal().count("a request to the broker")
    before = len(agent.records())
    for _ in range(3):
        status, body = broker(agent, "", "Metadata: true", path="/w/else")
        assert status == 404
    news = [r for r in agent.records()[before:] if r["protocol"] == "broker"]
    assert [r["event"] for r in news] == ["request"] * 3
    assert {(r["code"], r["verdict"], r["path"]) for r in news} == {
        ("BAD_REQUEST", "deny", "/w/else")
    }
    assert news[0]["workload"]["user"] == "alice"
    ids = {r["id"] for r in news}
    assert len(ids) == 1 and ids.pop() in body
    assert agent.journal().count("a request to the broker") == told + 1
    why = agent.cli("why", news[0]["id"])
    assert why.code == 1 and "BAD_REQUEST" in why.out, why
    assert broker(agent, "", method="POST")[0] == 405
    last = agent.last_record()
    assert (last["event"], last["method"]) == ("token", "POST")


def test_the_proxy_port_answers_the_metadata_address_itself(agent):
    url = f"http://{names.IMDS}/metadata/identity/oauth2/token"
    head = (
        f"GET {url}?{token_query()} HTTP/1.1\r\n"
        f"Host: {names.IMDS}\r\nMetadata: true\r\n\r\n"
    )
    other = head.replace("/identity/oauth2/token", "/instance")
    first, second = agent.probe(
        {"host": names.IMDS, "head": head}, {"host": names.IMDS, "head": other}
    )
    assert first["status"] == 200
    assert json.loads(first["body"])["token_type"] == "Bearer"
    assert second["status"] == 403
    assert json.loads(second["body"])["code"] == "METADATA_PROXIED"


def test_databricks_sdk_gets_its_own_shape(agent):
    fields = [
        "X-Databricks-Metadata-Version: 1",
        f"X-Databricks-Host: https://{names.DATABRICKS}",
    ]
    status, body = broker(agent, "", *fields, path="/databricks/token")
    assert status == 200
    assert isinstance(json.loads(body)["expires_on"], int)


def test_imds_down_for_the_life_of_a_token_is_not_noticed(agent, imds):
    imds(life_s=12)
    query = token_query("https://life.lab.example")
    status, body = broker(agent, query, "Metadata: true")
    assert status == 200, body
    ends = int(json.loads(body)["expires_on"])
    imds("503")
    asked = 0
    while time.time() < ends - 1.5:
        status, body = broker(agent, query, "Metadata: true")
        assert status == 200, body
        asked += 1
        time.sleep(0.2)
    assert asked > 5
    time.sleep(max(0, ends + 0.5 - time.time()))
    status, body = broker(agent, query, "Metadata: true")
    assert status == 503
    assert "access_token" not in body


@pytest.mark.parametrize("fault", ["400", "429", "500", "hang", "garbage"])
def test_no_token_is_an_answer_in_time(agent, imds, fault):
    """A fresh audience while the platform fails: no hang, no token."""
    imds(fault)
    query = token_query(f"https://fault-{fault}.lab.example")
    start = time.monotonic()
    status, body = broker(agent, query, "Metadata: true")
    assert status in (400, 503)
    assert time.monotonic() - start < 8
    assert "access_token" not in body
