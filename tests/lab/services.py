"""Stubs of ARM and Key Vault; plain servers; all of them started."""

import hashlib
import json
import re
import socket
import threading
import time
from urllib.parse import urlsplit

from . import databricks, endpoint, entra, names, web, zones
from .stub import Stub

SUBSCRIPTION = {
    "id": f"/subscriptions/{names.SUBSCRIPTION}",
    "subscriptionId": names.SUBSCRIPTION,
    "tenantId": names.TENANT,
    "displayName": "lab",
    "state": "Enabled",
}


class Arm(Stub):
    open_paths = ("/metadata/endpoints",)

    def answer(self, path, query, data, who):
        if path == "/subscriptions":
            self.reply(200, {"value": [SUBSCRIPTION]})
            return
        if path != "/metadata/endpoints":
            if not endpoint.manage(self, self.state, path, data, who):
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
        if self.command == "PUT" and not data:
            self.reply(400, {"error": {"code": "BadParameter"}})
            return
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


def serve(authority, workspace, github, ep1):
    """Start all stubs; returns the counting servers by "address:port"."""
    tls = web.tls_context()
    for host, kind, state in (
        (names.ARM, Arm, ep1),
        (names.VAULT, Vault, {}),
        (names.SCORE, endpoint.Score, ep1),
        (names.DATABRICKS, databricks.Databricks, workspace),
    ):
        own = {"authority": authority, "host": host, "state": state}
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
    public = entra.handlers(authority, github)
    for address in [*names.PUBLIC_ALL, names.STRANGER]:
        handler = public.get(address, Plain)
        counted[f"{address}:443"] = web.start((address, 443), handler, tls)
        counted[f"{address}:80"] = web.start((address, 80), Plain)
    return counted


HOSTS_FILE = f"""127.0.0.1 localhost
::1 localhost
{names.CASES_ADDRESS} {zones.ROUTES["R8"][0]}
"""
