"""Who and what exists in the lab: identities, hosts, addresses."""

TENANT = "11111111-2222-4333-8444-555555555555"
SUBSCRIPTION = "22222222-3333-4444-8555-666666666666"
WORKSPACE_GUID = "33333333-4444-4555-8666-777777777777"
REGION = "westeurope"
GROUP = "rg-lab"
WORKSPACE = "ws-lab"

# name -> client id, object id, resource id; "host" is system-assigned.
_MI = (
    f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{GROUP}/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/"
)
IDENTITIES = {
    "host": {
        "client_id": "00000000-0000-0000-0000-0000000000aa",
        "object_id": "00000000-0000-0000-0001-0000000000aa",
        "mi_res_id": None,
    },
    "alice": {
        "client_id": "00000000-0000-0000-0000-000000000001",
        "object_id": "00000000-0000-0000-0001-000000000001",
        "mi_res_id": _MI + "alice",
    },
    "bob": {
        "client_id": "00000000-0000-0000-0000-000000000002",
        "object_id": "00000000-0000-0000-0001-000000000002",
        "mi_res_id": _MI + "bob",
    },
}

# Applications: no machine has them; they trust the subjects of workflows.
APPS = {
    "ci": {
        "client_id": "00000000-0000-0000-0000-0000000000c1",
        "object_id": "00000000-0000-0000-0001-0000000000c1",
        "mi_res_id": None,
        "subjects": {"repo:contoso/forecast:environment:production"},
    },
}
PRINCIPALS = {**IDENTITIES, **APPS}

IMDS = "169.254.169.254"
DNS = "168.63.129.16"

# host -> (private endpoint, service); the privatelink names are in zones.py.
ACCT1 = "acct1.blob.core.windows.net"
DFS1 = "acct1.dfs.core.windows.net"
ACCT2 = "acct2.blob.core.windows.net"
AZUREML = f"{WORKSPACE_GUID}.workspace.{REGION}.api.azureml.ms"
ARM = "management.azure.com"
VAULT = "kv1.vault.azure.net"
SCORE = f"ep1.{REGION}.inference.ml.azure.com"
DATABRICKS = "adb-1234567890123456.7.azuredatabricks.net"
# What rules name, but what has no private endpoint.
DATABRICKS_PUBLIC = "adb-6543210987654321.1.azuredatabricks.net"
VAULT_PUBLIC = "kv-public.vault.azure.net"
DFS_PUBLIC = "r1.dfs.core.windows.net"
NO_ENDPOINT = [DATABRICKS_PUBLIC, VAULT_PUBLIC, DFS_PUBLIC]
# A WebSocket service and a gRPC application, each on its own endpoint.
SOCKETS = "wps1.webpubsub.azure.com"
GRPC = "app1.lab-env.westeurope.azurecontainerapps.io"
# An origin that notes the heads it got.
SEEN = "seen1.search.windows.net"
LOGIN = "login.microsoftonline.com"
GITHUB_OIDC = "pipelines.actions.githubusercontent.com"

ENDPOINTS = {
    ACCT1: "10.20.0.5",
    ACCT2: "10.20.0.6",
    AZUREML: "10.20.0.7",
    ARM: "10.20.0.8",
    VAULT: "10.20.0.9",
    SCORE: "10.20.0.10",
    DATABRICKS: "10.20.0.11",
    SOCKETS: "10.20.0.15",
    GRPC: "10.20.0.16",
    DFS1: "10.20.0.17",
    SEEN: "10.20.0.18",
}

# More hosts that the stub at 10.20.0.12 stands for (DNS cases).
CASES_ADDRESS = "10.20.0.12"
# Packages for pip, npm and git.
PACKAGES = "packages.corp.lab.example"
PACKAGES_ADDRESS = "10.20.0.13"
# An origin that fails as a test says.
FAULTY = "faulty.corp.lab.example"
FAULTY_ADDRESS = "10.20.0.14"
# The same origin with proofs of its name, good and bad, one a port.
PROOFS = "proofs.corp.lab.example"
PROOFS_ADDRESS = "10.20.0.19"
# Every name below it leads there: none is ever in a cache.
FRESH = "fresh.corp.lab.example"
# A second DNS server, and one where nobody answers.
DNS2 = "10.20.0.53"
DNS_GONE = "10.20.0.54"
# Nobody is routed there: the private endpoint of another network.
UNROUTED = "10.20.99.9"
# A private address outside of every endpoint range.
STRANGER = "10.200.0.9"
# An address of an interface other than lo: the box itself.
OWN = "10.20.0.250"

PUBLIC = "20.38.104.164"
PUBLIC_LOGIN = "20.38.104.170"
PUBLIC_GITHUB = "20.38.104.172"
PUBLIC_V6 = "2603:1020:206::5"
PUBLIC_ALL = [PUBLIC, "20.38.104.165", PUBLIC_LOGIN, PUBLIC_GITHUB, PUBLIC_V6]

MLFLOW_PATH = (
    f"/mlflow/v2.0/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    f"/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE}"
)
TRACKING_URI = f"azureml://{AZUREML}{MLFLOW_PATH}"

# Azurite's accounts and their keys; only the lab itself signs with them.
ACCOUNT_KEYS = {
    "acct1": "bGFiLWFjY291bnQtb25lLWtleS1vbmx5LWluLXRoZS1sYWI=",
    "acct2": "bGFiLWFjY291bnQtdHdvLWtleS1vbmx5LWluLXRoZS1sYWI=",
}

# What each identity may do, as role assignments would have it.
ROLES = {
    ACCT1: {"host", "alice"},
    DFS1: {"host", "alice"},
    ACCT2: {"bob"},
    AZUREML: {"host", "alice"},
    ARM: {"host", "alice", "bob", "ci"},
    VAULT: {"host", "alice"},
    SCORE: {"host", "alice", "ci"},
    DATABRICKS: {"host", "alice", "ci"},
}

# Who may change deployments and their traffic.
WRITERS = {"ci"}

STORAGE_AUDIENCE = "https://storage.azure.com/"
ARM_AUDIENCE = "https://management.azure.com/"
# The classic management interface; azure-cli still asks for it.
CORE_AUDIENCE = "https://management.core.windows.net/"
VAULT_AUDIENCE = "https://vault.azure.net"
ML_AUDIENCE = "https://ml.azure.com"
SEEN_AUDIENCE = "https://search.azure.com"
DATABRICKS_AUDIENCE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"

AUDIENCES = {
    ACCT1: {STORAGE_AUDIENCE},
    DFS1: {STORAGE_AUDIENCE},
    ACCT2: {STORAGE_AUDIENCE},
    AZUREML: {ARM_AUDIENCE},
    ARM: {ARM_AUDIENCE, CORE_AUDIENCE},
    VAULT: {VAULT_AUDIENCE},
    SCORE: {ML_AUDIENCE},
    DATABRICKS: {DATABRICKS_AUDIENCE},
}
