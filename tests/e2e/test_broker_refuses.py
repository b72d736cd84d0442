"""The broker's part of the contract, in raw bytes: what is refused."""

from lab.broker import (
    DATABRICKS,
    DB_FIELDS,
    IMDS,
    LITERAL,
    METADATA,
    MSI,
    RESOURCE,
    STORAGE,
    TCP,
    UNIX,
    VERSION,
    check_refusal,
    field,
    head,
    raw,
)

EVERY_PATH = {
    "imds": (f"{IMDS}{VERSION}{RESOURCE}", [METADATA]),
    "msi": (f"{MSI}?api-version=2019-08-01{RESOURCE}", None),
    "capability": (None, [METADATA]),
    "databricks": (DATABRICKS, DB_FIELDS),
    "unknown": ("/nothing", []),
    "platform": ("/metadata/identity/getplatformmetadata", []),
}
FORBIDDEN = [
    *("X-Forwarded-For: 1.2.3.4", "x-forwarded-for:", "Forwarded: for=a"),
    *("Via: 1.1 x", "Origin: null", "Referer: http://127.0.0.1:3181/"),
    *("Sec-Fetch-Site: none", "SEC-FETCH-SITE: same-origin"),
]
WRONG_HOSTS = [
    *("evil.example", "evil.example:3181", "127.0.0.1", "127.0.0.1:80"),
    *("127.0.0.1:3180", "localhost", "localhost:3182", "127.1:3181"),
    *("2130706433:3181", "0x7f.1:3181", "[::1]:3181", "0.0.0.0:3181"),
    *("127.0.0.2:3181", "[::ffff:127.0.0.1]:3181", "a@127.0.0.1:3181"),
    *("169.254.169.254:8080", "metadata.azure.com", "169.254.169.254.:80"),
    *("127.0.0.1:3181, evil", "127.0.0.1:+3181", "127.0.0.1:03181x", ""),
]


def every_path(secrets):
    for name, (target, fields) in EVERY_PATH.items():
        if name == "capability":
            cap = secrets["capability", "alice"]
            target = f"/w/{cap}{IMDS}{VERSION}{RESOURCE}"
        if name == "msi":
            fields = [f"X-IDENTITY-HEADER: {secrets['header', 'alice']}"]
        yield target, fields


def test_what_browsers_and_relays_add_is_400_on_every_path(agent, secrets):
    orders = [
        head(target, *fields, bad)
        for target, fields in every_path(secrets)
        for bad in FORBIDDEN
    ]
    orders += [
        {"to": UNIX, "send": [head(f"{IMDS}{VERSION}{RESOURCE}", METADATA, b)]}
        for b in FORBIDDEN
    ]
    for (answer,) in raw(agent, *orders):
        check_refusal(answer, 400, "BAD_REQUEST")
        assert answer["s"] < 1


def test_a_wrong_host_is_400_on_every_path(agent, secrets):
    orders = [
        head(target, *fields, host=f"Host: {bad}")
        for target, fields in every_path(secrets)
        for bad in WRONG_HOSTS
    ]
    for (answer,), order in zip(raw(agent, *orders), orders):
        assert answer["status"] == 400, (order, answer)
        assert "access_token" not in answer["body"]


def test_no_host_or_two_are_400_also_on_a_unix_socket(agent):
    target = f"{IMDS}{VERSION}{RESOURCE}"
    heads = [
        head(target, METADATA, host=None, version="1.0"),
        head(target, METADATA, host=None),
        head(target, METADATA, LITERAL),
        head(target, METADATA, LITERAL, version="1.0"),
    ]
    orders = [{"to": to, "send": [h]} for to in (TCP, UNIX) for h in heads]
    for (answer,), order in zip(raw(agent, *orders), orders):
        assert answer["status"] == 400, (order, answer)


def test_without_its_field_a_metadata_request_is_400_at_once(agent, secrets):
    targets = [f"{IMDS}{VERSION}{RESOURCE}", IMDS, f"{IMDS}/"]
    targets.append(f"/w/{secrets['capability', 'alice']}{IMDS}")
    wrong = [[], ["Metadata: false"], ["Metadata:"], ["Metadata: 1"]]
    wrong += [[METADATA, METADATA], ["Metadata: true, true"]]
    orders = [head(t, *w) for t in targets for w in wrong]
    for (answer,) in raw(agent, *orders):
        check_refusal(answer, 400, "BAD_REQUEST")
        assert answer["s"] < 1


BAD_QUERIES = [
    "",
    "?",
    f"?resource={STORAGE}",
    f"?api-version=1999-01-01{RESOURCE}",
    f"?api-version=2018-02-0{RESOURCE}",
    f"?api-version={RESOURCE}",
    VERSION,
    f"{VERSION}&resource=",
    f"{VERSION}&resource=a%20b",
    f"{VERSION}&resource=a%00b",
    f"{VERSION}&resource=%zz",
    f"{VERSION}{RESOURCE}{RESOURCE}",
    f"{VERSION}{RESOURCE}&api-version=2018-02-01",
    f"{VERSION}{RESOURCE}&re%73ource=https://ml.azure.com",
    f"{VERSION}{RESOURCE}&client_id=a&object_id=b",
    f"{VERSION}{RESOURCE}&msi_res_id=a&mi_res_id=a",
    f"{VERSION}{RESOURCE}&client_id=a&client_id=a",
    f"{VERSION}{RESOURCE}&client_id=",
    f"{VERSION}{RESOURCE}&token_sha256_to_refresh=x",
    f"{VERSION}&resource={'a' * 2000}",
]


def test_a_malformed_query_is_400(agent):
    orders = [head(IMDS + query, METADATA) for query in BAD_QUERIES]
    for (answer,), query in zip(raw(agent, *orders), BAD_QUERIES):
        assert answer["status"] == 400, (query, answer)
        check_refusal(answer, 400, "BAD_REQUEST")


UNKNOWN = [
    *("/", "/metadata", "/metadata/instance", "/metadata/identity/info"),
    "/metadata/identity/getplatformmetadata?cred-api-version=2.0",
    "/metadata/identity/getplatformmetadata",
    f"{IMDS}2{VERSION}{RESOURCE}",
    f"{IMDS}/x{VERSION}{RESOURCE}",
    f"/x{IMDS}{VERSION}{RESOURCE}",
    f"/./{IMDS}{VERSION}{RESOURCE}",
    f"{IMDS.replace('token', '%74oken')}{VERSION}{RESOURCE}",
    *("/MSI/token", "/msi", "/msi/token/x", "/Databricks/token", "/w/"),
    *("/metrics", "/status", "/livez", "*x"),
]


def test_unknown_paths_are_404_in_json_with_or_without_the_field(agent):
    paths_ = [p for p in UNKNOWN if p.startswith("/")]
    orders = [head(p, *f) for p in paths_ for f in ([], [METADATA])]
    for (answer,) in raw(agent, *orders):
        check_refusal(answer, 404, "BAD_REQUEST")


def test_other_methods_are_405_and_bodies_are_refused(agent):
    target = f"{IMDS}{VERSION}{RESOURCE}"
    methods = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
    orders = [head(target, METADATA, method=m) for m in methods]
    for (answer,) in raw(agent, *orders):
        check_refusal(answer, 405, "BAD_REQUEST")
        assert field(answer, "Allow") == "GET"
    bodies = [
        head(target, METADATA, "Content-Length: 3") + "abc",
        head(target, METADATA, "Transfer-Encoding: chunked") + "0\r\n\r\n",
        head(target, METADATA, "Content-Length: 0", "Content-Length: 1"),
        head(target, METADATA, method="CONNECT"),
        head(f"http://127.0.0.1:3181{target}", METADATA, method="G ET"),
    ]
    for (answer,), text in zip(raw(agent, *bodies), bodies):
        assert answer["status"] in (400, 404, 405), (text, answer)
        assert "access_token" not in answer["body"]
