"""The broker's part of the contract, in raw bytes: what is answered."""

import json
import time

from lab import names
from lab.broker import (
    ALICE,
    BOB,
    DATABRICKS,
    DB_FIELDS,
    IMDS,
    METADATA,
    MSI,
    PROXY,
    RESOURCE,
    STORAGE,
    TCP,
    UNIX,
    VERSION,
    check_refusal,
    check_token,
    field,
    head,
    raw,
)
from lab.daemon import policy

QUOTED = "&resource=https%3A%2F%2Fstorage.azure.com%2F"
GOOD = {
    "the IMDS path": (f"{IMDS}{VERSION}{RESOURCE}", STORAGE),
    "client_id": (
        f"{IMDS}{VERSION}{RESOURCE}&client_id={ALICE['client_id']}",
        STORAGE,
    ),
    "object_id": (
        f"{IMDS}{VERSION}{RESOURCE}&object_id={ALICE['object_id']}",
        STORAGE,
    ),
    "msi_res_id": (
        f"{IMDS}{VERSION}{RESOURCE}&msi_res_id={ALICE['mi_res_id']}",
        STORAGE,
    ),
    "mi_res_id": (
        f"{IMDS}{VERSION}{RESOURCE}&mi_res_id={ALICE['mi_res_id']}",
        STORAGE,
    ),
    "principal_id, App Service's name": (
        f"{IMDS}{VERSION}{RESOURCE}&principal_id={ALICE['object_id']}",
        STORAGE,
    ),
    "selectors in any case": (
        f"{IMDS}{VERSION}{RESOURCE}&mi_res_id={ALICE['mi_res_id'].upper()}",
        STORAGE,
    ),
    "clientid with nothing in it, as Go sends": (
        f"{IMDS}{VERSION}{RESOURCE}&clientid=",
        STORAGE,
    ),
    "a quoted resource": (f"{IMDS}{VERSION}{QUOTED}", STORAGE),
    "parameters in another order": (
        f"{IMDS}?resource={STORAGE}&api-version=2018-02-01",
        STORAGE,
    ),
    "a resource without its slash": (
        f"{IMDS}{VERSION}&resource=https://storage.azure.com",
        "https://storage.azure.com",
    ),
    "a resource in capitals": (
        f"{IMDS}{VERSION}&resource=HTTPS://Storage.Azure.Com/",
        "HTTPS://Storage.Azure.Com/",
    ),
    "a path with a slash at its end": (f"{IMDS}/{VERSION}{RESOURCE}", STORAGE),
    "a path with a double slash": (f"/{IMDS}{VERSION}{RESOURCE}", STORAGE),
    "Metadata in capitals": (
        f"{IMDS.replace('metadata', 'METADATA')}{VERSION}{RESOURCE}",
        STORAGE,
    ),
    "parameters that nobody knows": (
        f"{IMDS}{VERSION}{RESOURCE}&x-client-SKU=a&xms_cc=cp1&authority=b",
        STORAGE,
    ),
    **{
        f"api-version {v}": (f"{IMDS}?api-version={v}{RESOURCE}", STORAGE)
        for v in ("2018-10-01", "2019-08-01", "2020-06-01", "2025-03-30")
    },
}


def test_the_imds_shape_in_every_clients_spelling(agent):
    answers = raw(agent, *(head(t, METADATA) for t, _ in GOOD.values()))
    for (_, resource), (answer,) in zip(GOOD.values(), answers):
        check_token(answer, resource)


def test_every_allowed_host_and_each_kind_of_connection(agent):
    target = f"{IMDS}{VERSION}{RESOURCE}"
    hosts = ["127.0.0.1:3181", "localhost:3181", "LOCALHOST:3181"]
    hosts += [names.IMDS, f"{names.IMDS}:80"]
    orders = [head(target, METADATA, host=f"Host: {h}") for h in hosts]
    any_host = [f"Host: {h}" for h in ("x.example", "127.0.0.1:1", "a:2")]
    orders += [
        {"to": UNIX, "send": [head(target, METADATA, host=h)]}
        for h in any_host
    ]
    orders.append({"to": TCP, "send": [head(target, METADATA)], "piece": 1})
    orders.append(head(target, METADATA, version="1.0"))
    for (answer,) in raw(agent, *orders):
        check_token(answer)


def test_connections_are_kept_or_closed_as_the_client_wants(agent):
    target = f"{IMDS}{VERSION}{RESOURCE}"
    close = head(target, METADATA, "Connection: close")
    kept = [head(target, METADATA)] * 3
    (found,) = raw(agent, {"to": TCP, "send": [*kept, close, *kept[:1]]})
    for answer in found[:4]:
        check_token(answer)
    assert [field(a, "Connection") for a in found[:4]] == [
        *("keep-alive",) * 3,
        "close",
    ]
    assert "error" in found[4]


def test_app_service_and_azure_ml_with_their_secrets(agent, secrets):
    own = secrets["header", "alice"]
    new = f"{MSI}?api-version=2019-08-01{RESOURCE}"
    old = f"{MSI}?api-version=2017-09-01{RESOURCE}"
    good = [
        head(new, f"X-IDENTITY-HEADER: {own}"),
        head(new, f"x-identity-header: {own}", METADATA),
        head(old, f"secret: {own}"),
        head(old, f"Secret: {own}", METADATA),
        head(f"{old}&clientid=", f"secret: {own}"),
        head(f"{old}&clientid={ALICE['client_id']}", f"secret: {own}"),
        head(
            f"{new}&client_id={ALICE['client_id']}",
            f"X-Identity-Header: {own}",
        ),
        head(
            f"{new}&principal_id={ALICE['object_id']}",
            f"X-Identity-Header: {own}",
        ),
    ]
    for (answer,) in raw(agent, *good):
        check_token(answer)
    # Unix sockets have the kernel's uid too, and want the same proof.
    ((answer,),) = raw(agent, {"to": UNIX, "send": [good[0]]})
    check_token(answer)


def test_a_secret_must_fit_the_kernels_uid(agent, secrets):
    """The header, the kernel's word, the version that goes with it."""
    own, other = secrets["header", "alice"], secrets["header", "bob"]
    cap = secrets["capability", "alice"]
    new = f"{MSI}?api-version=2019-08-01{RESOURCE}"
    old = f"{MSI}?api-version=2017-09-01{RESOURCE}"
    wrong = [
        ("TOKEN_NOT_ALLOWED", new, f"X-IDENTITY-HEADER: {other}"),
        ("TOKEN_NOT_ALLOWED", new, f"X-IDENTITY-HEADER: {cap}"),
        ("TOKEN_NOT_ALLOWED", new, f"X-IDENTITY-HEADER: {own.upper()}"),
        ("TOKEN_NOT_ALLOWED", new, f"X-IDENTITY-HEADER: {own}0"),
        ("TOKEN_NOT_ALLOWED", new, f"X-IDENTITY-HEADER: {own[:-1]}"),
        ("", new, "X-IDENTITY-HEADER:"),
        ("TOKEN_NOT_ALLOWED", old, f"secret: {other}"),
        ("BAD_REQUEST", new, f"secret: {own}"),
        ("BAD_REQUEST", old, f"X-IDENTITY-HEADER: {own}"),
        ("BAD_REQUEST", new, METADATA),
        ("BAD_REQUEST", old, METADATA),
    ]
    answers = raw(agent, *(head(t, f) for _, t, f in wrong))
    twice = head(new, f"X-IDENTITY-HEADER: {own}", f"X-IDENTITY-HEADER: {own}")
    answers += raw(agent, twice)
    for (code, *_), (answer,) in zip([*wrong, ("BAD_REQUEST",)], answers):
        body = check_refusal(answer, 400, code)
        # App Service's own members: its clients show only those.
        assert body["statusCode"] == 400 and code in body["message"]
    ((stolen,),) = raw(
        agent, head(new, f"X-IDENTITY-HEADER: {own}"), user="bob"
    )
    check_refusal(stolen, 400, "TOKEN_NOT_ALLOWED")


def test_env_gives_the_secret_and_it_outlives_a_restart(agent, secrets):
    before = agent.environment("alice")["IDENTITY_HEADER"]
    assert before == secrets["header", "alice"]
    assert len(before) == 64 and before == before.lower()
    assert agent.stop() == 0
    agent.start()
    assert agent.environment("alice")["IDENTITY_HEADER"] == before
    target = f"{MSI}?api-version=2019-08-01{RESOURCE}"
    ((answer,),) = raw(agent, head(target, f"X-IDENTITY-HEADER: {before}"))
    check_token(answer)


def test_a_capability_in_the_path(agent, secrets):
    cap = secrets["capability", "alice"]
    query = f"{VERSION}{RESOURCE}"
    good = [f"/w/{cap}{IMDS}", f"/w/{cap}/{IMDS}", f"/w/{cap}{IMDS}/"]
    good += [f"//w/{cap}{IMDS}", f"/w/{cap}{IMDS.replace('m', 'M', 1)}"]
    for (answer,) in raw(agent, *(head(p + query, METADATA) for p in good)):
        check_token(answer)
    wrong = [
        (400, f"/w/{secrets['capability', 'bob']}{IMDS}"),
        (400, f"/w/{secrets['header', 'alice']}{IMDS}"),
        (404, f"/w/{cap.upper()}{IMDS}"),
        (404, f"/w/{cap[:-1]}{IMDS}"),
        (404, f"/w/{cap}0{IMDS}"),
        (404, f"/w/{cap}{MSI}"),
        (404, f"/w/{cap}{DATABRICKS}"),
        (404, f"/w/{cap}"),
        (404, f"/w{IMDS}"),
    ]
    before = len(agent.records())
    answers = raw(agent, *(head(p + query, METADATA) for _, p in wrong))
    for (status, path), (answer,) in zip(wrong, answers):
        code = "TOKEN_NOT_ALLOWED" if status == 400 else "BAD_REQUEST"
        check_refusal(answer, status, code)
    ((bare,),) = raw(agent, head(good[0] + query))
    check_refusal(bare, 400, "BAD_REQUEST")
    ((stolen,),) = raw(agent, head(good[0] + query, METADATA), user="bob")
    check_refusal(stolen, 400, "TOKEN_NOT_ALLOWED")
    text = json.dumps(agent.records()[before:])
    for secret in secrets.values():
        assert secret[:32] not in text.lower()


def test_databricks_shape_and_its_conditions(agent):
    wrong_host = "X-Databricks-Host: https://adb-9.9.azuredatabricks.net"
    version, host = DB_FIELDS
    ((answer,),) = raw(agent, head(DATABRICKS, *DB_FIELDS))
    assert answer["status"] == 200
    assert int(field(answer, "Content-Length")) == len(answer["body"])
    body = json.loads(answer["body"])
    assert list(body) == ["access_token", "expires_on", "token_type"]
    assert type(body["expires_on"]) is int
    assert body["expires_on"] > time.time()
    assert body["token_type"] == "Bearer"
    rows = [
        ("BAD_REQUEST", [host]),
        ("BAD_REQUEST", [version]),
        ("BAD_REQUEST", ["X-Databricks-Metadata-Version: 2", host]),
        ("BAD_REQUEST", [version, version, host]),
        ("BAD_REQUEST", [version, host, host]),
        ("BAD_REQUEST", [version, host.replace("https", "http")]),
        ("BAD_REQUEST", [version, f"{host}:444"]),
        ("BAD_REQUEST", [version, f"{host}/path"]),
        ("BAD_REQUEST", [version, "X-Databricks-Host: https://10.20.0.11"]),
        ("HOST_NOT_ALLOWED", [version, wrong_host]),
    ]
    answers = raw(agent, *(head(DATABRICKS, *f) for _, f in rows))
    for (code, _), (answer,) in zip(rows, answers):
        check_refusal(answer, 400, code)
    # Bob may reach the host, but has no grant of the audience.
    ((answer,),) = raw(agent, head(DATABRICKS, *DB_FIELDS), user="bob")
    check_refusal(answer, 400, "TOKEN_NOT_ALLOWED")


def test_selectors_outside_a_grant_are_refused(agent):
    query = f"{IMDS}{VERSION}{RESOURCE}"
    wrong = [
        f"{query}&client_id={BOB['client_id']}",
        f"{query}&object_id={BOB['object_id']}",
        f"{query}&mi_res_id={BOB['mi_res_id']}",
        f"{query}&client_id=99999999-0000-0000-0000-000000000009",
        f"{IMDS}{VERSION}&resource=https://graph.microsoft.com",
        f"{IMDS}{VERSION}&resource=https://storage.azure.com//",
        f"{IMDS}{VERSION}&resource=https://storage.azure.com/x",
        f"{IMDS}{VERSION}&resource=https://storage.azure.com.evil.example/",
    ]
    before = len(agent.records())
    for (answer,) in raw(agent, *(head(t, METADATA) for t in wrong)):
        check_refusal(answer, 400, "TOKEN_NOT_ALLOWED")
    news = agent.news(before)
    assert [r["event"] for r in news] == ["token"] * len(wrong)
    assert {r["code"] for r in news} == {"TOKEN_NOT_ALLOWED"}
    assert {r["protocol"] for r in news} == {"broker"}


def test_grants_that_name_different_identities_are_named(agent):
    rules = policy()
    rules["tokens"].append(
        {
            "id": "second",
            "workloads": ["alice"],
            "audiences": [STORAGE],
            "identities": ["bob"],
        }
    )
    target = f"{IMDS}{VERSION}{RESOURCE}"
    agent.reload(rules)
    try:
        (answer,), (chosen,) = raw(
            agent,
            head(target, METADATA),
            head(f"{target}&client_id={BOB['client_id']}", METADATA),
        )
    finally:
        agent.reload(policy())
    body = check_refusal(answer, 400, "TOKEN_NOT_ALLOWED")
    for word in ("second", "bob", "alice-tokens", "alice"):
        assert word in body["error_description"]
    check_token(chosen, client=BOB["client_id"])


def test_the_proxy_port_is_the_same_door(agent):
    base = f"http://{names.IMDS}"
    host = f"Host: {names.IMDS}"
    target = f"{base}{IMDS}{VERSION}{RESOURCE}"
    good = [head(target, METADATA, host=host)]
    good.append(
        head(f"{base}:80{target[len(base) :]}", METADATA, host=f"{host}:80")
    )
    wrong = [
        (400, head(target, host=host)),
        (400, head(target, METADATA, "X-Forwarded-For: 1.2.3.4", host=host)),
        (403, head(f"{base}/metadata/instance", METADATA, host=host)),
        (403, head(f"{base}/", METADATA, host=host)),
        (403, head(f"{base}{MSI}{VERSION}{RESOURCE}", METADATA, host=host)),
        (
            403,
            head(
                f"{base}/metadata/identity/getplatformmetadata",
                METADATA,
                host=host,
            ),
        ),
    ]
    orders = [{"to": PROXY, "send": [h]} for h in good]
    for (answer,) in raw(agent, *orders):
        check_token(answer)
    orders = [{"to": PROXY, "send": [h]} for _, h in wrong]
    for (status, text), (answer,) in zip(wrong, raw(agent, *orders)):
        assert answer["status"] == status, (text, answer)
        if status == 403:
            assert json.loads(answer["body"])["code"] == "METADATA_PROXIED"


def test_with_no_token_yet_it_waits_five_seconds_and_says_when(agent, imds):
    imds("hang")
    target = f"{IMDS}{VERSION}&resource=https://broker-wait.lab.example"
    ((answer,),) = raw(agent, head(target, METADATA))
    check_refusal(answer, 503, "CREDENTIAL_UNAVAILABLE")
    assert field(answer, "Retry-After") == "2"
    assert 4.5 < answer["s"] < 6.5


def test_many_who_start_at_once_cost_one_fetch(agent, imds):
    imds(delay_s=0.3)
    resource = "https://broker-herd.lab.example/"
    target = f"{IMDS}{VERSION}&resource={resource}"
    order = {"to": TCP, "send": [head(target, METADATA)], "at_once": 30}
    (found,) = raw(agent, order)
    assert len(found) == 30
    for answer in found:
        check_token(answer, resource)
    log = agent.lab.call("imds_log")["requests"]
    quoted = resource.replace(":", "%3A").replace("/", "%2F")
    assert len([r for r in log if quoted in r["path"]]) == 1
    (found,) = raw(agent, order)
    assert max(a["s"] for a in found) < 1
