"""What the lab's DNS answers: the services, R1-R10, and hostile answers."""

from . import names

BLOB = "blob.core.windows.net"
STAMP = "blob.ams01.store.core.windows.net"
EP = names.CASES_ADDRESS


def chain(host, zone, *addresses, via=STAMP):
    """host -> first label under a privatelink zone -> addresses."""
    private = host.split(".")[0] + "." + zone
    table = {host: {"cname": private}}
    if addresses == ("public",):
        table[private] = {"cname": via}
    else:
        table[private] = {"a": list(addresses)}
    return table


ZONES = {
    names.ACCT1: f"privatelink.{BLOB}",
    names.DFS1: "privatelink.dfs.core.windows.net",
    names.ACCT2: f"privatelink.{BLOB}",
    names.AZUREML: "workspace.westeurope.privatelink.api.azureml.ms",
    names.ARM: "privatelink.azure.com",
    names.VAULT: "privatelink.vaultcore.azure.net",
    names.SCORE: (
        f"{names.WORKSPACE_GUID}.inference.westeurope."
        "privatelink.api.azureml.ms"
    ),
    names.DATABRICKS: "privatelink.azuredatabricks.net",
    names.SOCKETS: "privatelink.webpubsub.azure.com",
    names.SEEN: "privatelink.search.windows.net",
    names.GRPC: "lab-env.privatelink.westeurope.azurecontainerapps.io",
}


def _services():
    table = {STAMP: {"a": [names.PUBLIC]}}
    for host, zone in ZONES.items():
        table.update(chain(host, zone, names.ENDPOINTS[host]))
    for host in names.NO_ENDPOINT:
        table[host] = {"cname": STAMP}
    table[names.LOGIN] = {"a": [names.PUBLIC_LOGIN]}
    table[names.GITHUB_OIDC] = {"a": [names.PUBLIC_GITHUB]}
    for host in PLAIN_HOSTS:
        table[host] = {"a": [EP]}
    table[names.PACKAGES] = {"a": [names.PACKAGES_ADDRESS]}
    table[names.FAULTY] = {"a": [names.FAULTY_ADDRESS]}
    table[names.PROOFS] = {"a": [names.PROOFS_ADDRESS]}
    table[ECHO] = {"a": [names.CASES_ADDRESS]}
    return table


# Names without a zone, for rules of route "private-address".
WEB = "web.corp.lab.example"
ECHO = "echo.corp.lab.example"
# Whoever replays corpora serves this one, on ports of its own.
CORPORA = "corpora.corp.lab.example"
CORPORA_PORTS = range(18100, 18108)
PLAIN_HOSTS = (WEB, "web2.corp.lab.example", CORPORA)

# name of the case -> (host, codes that fit; None is allowed)
ROUTES = {
    "R1": (f"r1.{BLOB}", {"PUBLIC_ADDRESS"}),
    "R2": (f"r2.{BLOB}", {"PUBLIC_ADDRESS"}),
    "R3": (f"r3.{BLOB}", {None}),
    "R4": (f"r4.{BLOB}", {"DNS_NXDOMAIN"}),
    "R5": (f"r5.{BLOB}", {"PUBLIC_ADDRESS"}),
    "R6": (f"r6.{BLOB}", {"PUBLIC_ADDRESS"}),
    "R7": (f"r7.{BLOB}", {"NO_PRIVATE_ZONE"}),
    "R8": (f"r8.{BLOB}", {"PUBLIC_ADDRESS"}),
    "R9": (f"r9.{BLOB}", {"CONNECT_UNREACHABLE"}),
    "R10": ("api.monitor.azure.com", {"PUBLIC_ADDRESS"}),
}

# Rows of the reference's table of hostile inputs, by number.
HOSTILE = {
    "71-mixed": (f"d71.{BLOB}", {"MIXED_ADDRESSES"}),
    "73-wrong-zone": (f"d73.{BLOB}", {"WRONG_ZONE"}),
    "74-zone-as-prefix": (f"d74.{BLOB}", {"WRONG_ZONE", "NO_PRIVATE_ZONE"}),
    "75-foreign-owner": (f"d75.{BLOB}", {"CHAIN_BROKEN"}),
    "76-loop": (f"d76.{BLOB}", {"CHAIN_BROKEN"}),
    "76-deep": (f"d76deep.{BLOB}", {"CHAIN_BROKEN"}),
    "76-two-cnames": (f"d76two.{BLOB}", {"CHAIN_BROKEN"}),
    "77-imds": (f"d77imds.{BLOB}", {"RESERVED_ADDRESS"}),
    "77-loopback": (f"d77lo.{BLOB}", {"RESERVED_ADDRESS"}),
    "77-unspecified": (f"d77any.{BLOB}", {"RESERVED_ADDRESS"}),
    "77-platform": (f"d77wire.{BLOB}", {"RESERVED_ADDRESS"}),
    "78-self": (f"d78.{BLOB}", {"SELF"}),
    "79-stranger": (f"d79.{BLOB}", {"UNEXPECTED_PRIVATE"}),
    "82-nat64": (f"d82.{BLOB}", {"RESERVED_ADDRESS"}),
    "83-public-v6": (f"d83.{BLOB}", {"MIXED_ADDRESSES"}),
    "84-nodata": (f"d84.{BLOB}", {"DNS_NODATA"}),
    "85-servfail": (f"d85.{BLOB}", {"DNS_SERVFAIL"}),
    "85-silence": (f"d85silent.{BLOB}", {"DNS_TIMEOUT"}),
    "86-truncated": (f"d86.{BLOB}", {None}),
    "87-wrong-id": (f"d87id.{BLOB}", {None}),
    "87-wrong-question": (f"d87q.{BLOB}", {None}),
    "87-wrong-source": (f"d87src.{BLOB}", {None}),
    "88-thousand": (
        f"d88.{BLOB}",
        {"CHAIN_BROKEN", "UPSTREAM_PROTOCOL", "DNS_SERVFAIL"},
    ),
    "90-nul-in-owner": (f"d90.{BLOB}", {"CHAIN_BROKEN", "DNS_NODATA"}),
    "91-wildcard": (f"d91.{BLOB}", {None}),
}
REBIND = f"d80.{BLOB}"


def _routes():
    zone = f"privatelink.{BLOB}"
    table = {}
    for row in ("R1", "R6"):
        table[ROUTES[row][0]] = {"cname": STAMP}
    for row in ("R2", "R5", "R8"):
        table.update(chain(ROUTES[row][0], zone, "public"))
    table.update(chain(ROUTES["R3"][0], zone, EP))
    table[ROUTES["R4"][0]] = {"cname": f"r4.{zone}"}
    table[f"r4.{zone}"] = {"nxdomain": zone}
    table[ROUTES["R7"][0]] = {"a": [EP]}
    table.update(chain(ROUTES["R9"][0], zone, names.UNROUTED))
    table[ROUTES["R10"][0]] = {"cname": "api.privatelink.monitor.azure.com"}
    table["api.privatelink.monitor.azure.com"] = {"a": [names.PUBLIC_ALL[1]]}
    return table


def _private(row, **entry):
    host = HOSTILE[row][0]
    private = f"{host.split('.')[0]}.privatelink.{BLOB}"
    return {host: {"cname": private}, private: entry}


def _chains():
    """Rows 71-76: what is wrong is the chain."""
    zone = f"privatelink.{BLOB}"
    table = _private("71-mixed", a=[EP, names.PUBLIC])
    for row, target in (
        ("73-wrong-zone", "d73.privatelink.file.core.windows.net"),
        ("74-zone-as-prefix", f"d74.{zone}.evil.example"),
    ):
        table[HOSTILE[row][0]] = {"cname": target}
        table[target] = {"a": [EP]}
    table[HOSTILE["75-foreign-owner"][0]] = {
        "cname": f"d75.{zone}",
        "foreign": ("evil.example", EP),
    }
    table[f"d75.{zone}"] = {"gone": True}
    table[HOSTILE["76-loop"][0]] = {"cname": f"d76.{zone}"}
    table[f"d76.{zone}"] = {"cname": HOSTILE["76-loop"][0]}
    table[HOSTILE["76-deep"][0]] = {"cname": f"deep1.{zone}"}
    for i in range(1, 14):
        table[f"deep{i}.{zone}"] = {"cname": f"deep{i + 1}.{zone}"}
    table[f"deep14.{zone}"] = {"a": [EP]}
    table[HOSTILE["76-two-cnames"][0]] = {
        "cname": f"d76two.{zone}",
        "cname2": STAMP,
    }
    table[f"d76two.{zone}"] = {"a": [EP]}
    return table


def _addresses():
    """Rows 77-91: what is wrong is an address or the message."""
    table = {}
    for row, entry in (
        ("77-imds", {"a": [names.IMDS]}),
        ("77-loopback", {"a": ["127.0.0.1"]}),
        ("77-unspecified", {"a": ["0.0.0.0"]}),
        ("77-platform", {"a": [names.DNS]}),
        ("78-self", {"a": [names.OWN]}),
        ("79-stranger", {"a": [names.STRANGER]}),
        ("82-nat64", {"aaaa": ["64:ff9b::a14:c"], "a": [EP]}),
        ("83-public-v6", {"aaaa": [names.PUBLIC_V6], "a": [EP]}),
        ("84-nodata", {"a": []}),
        ("85-servfail", {"rcode": 2}),
        ("85-silence", {"silent": True}),
        ("86-truncated", {"a": [EP], "tc": True}),
        ("87-wrong-id", {"a": [EP], "spoof": "id"}),
        ("87-wrong-question", {"a": [EP], "spoof": "question"}),
        ("87-wrong-source", {"a": [EP], "spoof": "source"}),
        ("88-thousand", {"a": [EP] * 1000}),
        ("90-nul-in-owner", {"a": [EP], "nul_owner": True}),
    ):
        table.update(_private(row, **entry))
    table[HOSTILE["91-wildcard"][0]] = {"cname": f"d91.privatelink.{BLOB}"}
    table[f"d91.privatelink.{BLOB}"] = {"a": [EP]}
    table[REBIND] = {"cname": f"d80.privatelink.{BLOB}", "ttl": 0}
    table[f"d80.privatelink.{BLOB}"] = {"rebind": [EP, names.PUBLIC]}
    return table


def records():
    """name -> entry; see dns.Zone for what an entry may say."""
    table = {}
    for part in (_services(), _routes(), _chains(), _addresses()):
        table.update(part)
    return table


def tls_hosts():
    """Every host that some server of the lab proves to be."""
    hosts = [*names.ENDPOINTS, names.LOGIN, names.GITHUB_OIDC, names.PACKAGES]
    hosts += [names.FAULTY]
    hosts += [ECHO, *PLAIN_HOSTS, REBIND]
    hosts += [h for h, _ in ROUTES.values()]
    hosts += [h for h, _ in HOSTILE.values()]
    return hosts
