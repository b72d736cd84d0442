"""Stubs of ARM, Key Vault, an online endpoint, Databricks, plain servers."""

import hashlib
import json
import re
import socket
import threading
import time
from urllib.parse import parse_qs, urlsplit

from . import names, tokens, web, zones


class Stub(web.Handler):
    """A service whose open paths need no token; refuses as Azure does."""

    authority = None
    host = None
    open_paths = ()
    state = None

    def _serve(self):
        data = self.body()
        parts = urlsplit(self.path)
        who = None
        if parts.path not in self.open_paths:
            try:
                who = self.authority.check(
                    self.headers.get("Authorization"), self.host
                )
            except tokens.Refused as e:
                self.refuse(e)
                return
        self.answer(parts.path, parse_qs(parts.query), data, who)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = _serve

    def refuse(self, e):
        error = {"error": {"code": e.code, "message": str(e)}}
        self.reply(e.status, error)

    def not_found(self):
        self.reply(404, {"error": {"code": "NotFound", "message": "no"}})


class Arm(Stub):
    open_paths = ("/metadata/endpoints",)

    def answer(self, path, query, data, who):
        if path != "/metadata/endpoints":
            self.reply(200, {"value": [], "caller": who})
            return
        authentication = {
            "loginEndpoint": f"https://{names.LOGIN}/",
            "audiences": [names.ARM_AUDIENCE],
            "tenant": "common",
            "identityProvider": "AAD",
        }
        suffixes = {
            "acrLoginServer": "azurecr.io",
            "keyVaultDns": "vault.azure.net",
            "storage": "core.windows.net",
            "sqlServerHostname": "database.windows.net",
        }
        cloud = {
            "name": "AzureCloud",
            "portal": "https://portal.azure.com",
            "authentication": authentication,
            "resourceManager": names.ARM_AUDIENCE,
            "graph": "https://graph.windows.net/",
            "batch": "https://batch.core.windows.net/",
            "activeDirectoryDataLake": "https://datalake.azure.net/",
            "media": "https://rest.media.azure.net",
            "suffixes": suffixes,
        }
        self.reply(200, [cloud])


class Vault(Stub):
    """Challenge first: the client learns the authority from a 401."""

    def refuse(self, e):
        fields = {}
        if e.status == 401:
            fields["WWW-Authenticate"] = (
                f'Bearer authorization="https://{names.LOGIN}/'
                f'{names.TENANT}", resource="{names.VAULT_AUDIENCE}"'
            )
        self.reply(e.status, {"error": {"code": e.code}}, fields)

    def answer(self, path, query, data, who):
        match = re.match(r"^/secrets/([^/]+)(?:/.*)?$", path)
        if not match:
            self.not_found()
            return
        name = match[1]
        if self.command == "PUT":
            self.state[name] = json.loads(data)["value"]
        if name not in self.state:
            error = {"code": "SecretNotFound", "message": name}
            self.reply(404, {"error": error})
            return
        ident = f"https://{names.VAULT}/secrets/{name}/1"
        attributes = {"enabled": True, "created": 1700000000}
        self.reply(
            200,
            {
                "value": self.state[name],
                "id": ident,
                "attributes": attributes,
            },
        )


class Score(Stub):
    """A managed online endpoint with two deployments."""

    def answer(self, path, query, data, who):
        if path != "/score" or self.command != "POST":
            self.not_found()
            return
        which = self.headers.get("azureml-model-deployment", "blue")
        if which not in ("blue", "green"):
            error = f"deployment {which} does not exist"
            self.reply(404, {"error": {"message": error}})
            return
        rows = json.loads(data)["data"]
        factor = 2 if which == "blue" else 3
        self.reply(
            200,
            {"predictions": [factor * x for x in rows]},
            {"azureml-model-deployment": which},
        )


class Databricks(Stub):
    open_paths = ("/.well-known/databricks-config",)

    def answer(self, path, query, data, who):
        runs = self.state
        if path == "/.well-known/databricks-config":
            self.reply(
                200,
                {
                    "oidc_endpoint": f"https://{self.host}/oidc",
                    "workspace_id": "1234567890123456",
                },
            )
        elif path.endswith("/jobs/run-now"):
            run = len(runs) + 1
            runs[run] = {"job": json.loads(data)["job_id"], "asked": 0}
            self.reply(200, {"run_id": run, "number_in_job": run})
        elif path.endswith("/jobs/runs/get"):
            self._run(int(query["run_id"][0]))
        else:
            self._lists(path, who)

    def _run(self, run):
        state = self.state.get(run)
        if not state:
            self.reply(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})
            return
        state["asked"] += 1
        done = state["asked"] > 1
        answer = {"life_cycle_state": "TERMINATED" if done else "RUNNING"}
        if done:
            answer["result_state"] = "SUCCESS"
        self.reply(
            200, {"run_id": run, "job_id": state["job"], "state": answer}
        )

    def _lists(self, path, who):
        table = {"catalog_name": "main", "schema_name": "ml", "name": "t1"}
        table["full_name"] = "main.ml.t1"
        grant = {"principal": who, "privileges": ["SELECT"]}
        answers = {
            "/clusters/list": {
                "clusters": [{"cluster_id": "c-1", "state": "RUNNING"}]
            },
            "/preview/scim/v2/Me": {"id": "1", "userName": who},
            "/unity-catalog/tables": {"tables": [table]},
            "/unity-catalog/tables/main.ml.t1": table,
            "/unity-catalog/permissions/table/main.ml.t1": {
                "privilege_assignments": [grant]
            },
        }
        rest = re.sub(r"^/api/2\.[01]", "", path)
        if rest in answers:
            self.reply(200, answers[rest])
        else:
            self.reply(404, {"error_code": "ENDPOINT_NOT_FOUND"})


class Plain(web.Handler):
    """Says what it was asked; /bytes/N sends N bytes, /wait/S answers late."""

    def _serve(self):
        digest, size = hashlib.sha256(), 0
        for piece in self.body_chunks():
            digest.update(piece)
            size += len(piece)
        parts = urlsplit(self.path)
        match = re.match(r"^/(bytes|wait)/([0-9.]+)$", parts.path)
        if match and match[1] == "bytes":
            self.reply(200, bytes(int(match[2])))
            return
        if match:
            time.sleep(float(match[2]))
        seen = {
            "method": self.command,
            "target": self.path,
            "headers": [list(i) for i in self.headers.items()],
            "bytes": size,
            "sha256": digest.hexdigest(),
        }
        self.reply(200, seen)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = _serve
    do_OPTIONS = _serve


def _echo_one(conn, tls):
    try:
        with tls.wrap_socket(conn, server_side=True) as sock:
            while data := sock.recv(65536):
                sock.sendall(data)
    except OSError:
        pass


def _echo(address, port, tls):
    """TLS, then every byte back: what a tunnel must not lose."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen(512)
    while True:
        conn, _ = sock.accept()
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(
            target=_echo_one, args=(conn, tls), daemon=True
        ).start()


ECHO_PORT = 8443


def serve(authority):
    """Start all stubs; returns the counting servers by "address:port"."""
    tls = web.tls_context()
    for host, kind in (
        (names.ARM, Arm),
        (names.VAULT, Vault),
        (names.SCORE, Score),
        (names.DATABRICKS, Databricks),
    ):
        own = {"authority": authority, "host": host, "state": {}}
        handler = type(kind.__name__, (kind,), own)
        web.start((names.ENDPOINTS[host], 443), handler, tls)
    web.start((names.CASES_ADDRESS, 443), Plain, tls)
    web.start((names.CASES_ADDRESS, 80), Plain)
    threading.Thread(
        target=_echo,
        args=(names.CASES_ADDRESS, ECHO_PORT, tls),
        daemon=True,
    ).start()
    counted = {}
    for address in [*names.PUBLIC_ALL, names.STRANGER]:
        counted[f"{address}:443"] = web.start((address, 443), Plain, tls)
        counted[f"{address}:80"] = web.start((address, 80), Plain)
    return counted


HOSTS_FILE = f"""127.0.0.1 localhost
::1 localhost
{names.CASES_ADDRESS} {zones.ROUTES["R8"][0]}
"""
