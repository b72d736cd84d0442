"""A TLS front with a token check before Azurite and the MLflow server."""

import http.client
import json
import re
import ssl
import time
from urllib.parse import parse_qs, urlsplit

from . import names, tokens, web

HOP = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


# Azurite and the MLflow server shut what is idle for 5 s.
KEPT_MAX_S = 2


class Front(web.Handler):
    """One private endpoint: checks the caller, passes the rest on as sent."""

    authority = None
    host = None
    backend = None
    backend_tls = None
    _conn = None
    _kept_s = 0

    def _serve(self):
        try:
            if not self.allowed_without_token():
                self.authority.check(
                    self.headers.get("Authorization"), self.host
                )
        except tokens.Refused as e:
            for _ in self.body_chunks():
                pass
            self.refuse(e)
            return
        self.dispatch()

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = _serve

    def allowed_without_token(self):
        return False

    def dispatch(self):
        self.forward(self.path)

    def refuse(self, e):
        self.reply(e.status, {"error": {"code": e.code, "message": str(e)}})

    def _connect(self):
        if self.backend_tls:
            return http.client.HTTPSConnection(
                *self.backend, timeout=60, context=self.backend_tls
            )
        return http.client.HTTPConnection(*self.backend, timeout=60)

    def _kept(self):
        """The last connection, unless its other end may have shut it."""
        conn, self._conn = self._conn, None
        if conn and time.monotonic() - self._kept_s > KEPT_MAX_S:
            conn.close()
            conn = None
        return conn

    def forward(self, path, drop=(), rewrite=None):
        """Pass the request on; the answer may be rewritten as a whole."""
        conn = self._kept() or self._connect()
        conn.putrequest(
            self.command, path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in self.headers.items():
            if name.lower() not in HOP and name.lower() not in drop:
                conn.putheader(name, value)
        chunked = "Transfer-Encoding" in self.headers
        if chunked:
            conn.putheader("Transfer-Encoding", "chunked")
        conn.endheaders()
        for piece in self.body_chunks():
            if chunked:
                piece = b"%x\r\n%s\r\n" % (len(piece), piece)
            conn.send(piece)
        if chunked:
            conn.send(b"0\r\n\r\n")
        self._pass_answer(conn, rewrite)

    def _pass_answer(self, conn, rewrite):
        answer = conn.getresponse()
        data = rewrite(answer.read()) if rewrite else None
        length = answer.getheader("Content-Length")
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP and name.lower() != "content-length":
                self.send_header(name, value)
        if data is not None:
            length = str(len(data))
        bodyless = self.command == "HEAD" or answer.status in (204, 304)
        if length is None and not bodyless:
            self.send_header("Transfer-Encoding", "chunked")
        elif length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        if data is not None and not bodyless:
            self.wfile.write(data)
        elif data is None:
            self._pass_body(answer, length is None and not bodyless)
        self._conn, self._kept_s = conn, time.monotonic()

    def _pass_body(self, answer, chunked):
        while piece := answer.read(65536):
            if chunked:
                piece = b"%x\r\n%s\r\n" % (len(piece), piece)
            self.wfile.write(piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")


class Blob(Front):
    """A storage account; a SAS is for Azurite itself to verify."""

    def allowed_without_token(self):
        query = parse_qs(urlsplit(self.path).query)
        return "sig" in query and "sv" in query

    def dispatch(self):
        # Azurite reads the token's claims but not its signature; here
        # the signature, the audience and the identity have been checked.
        self.forward(self.path)

    def refuse(self, e):
        fields = {"Content-Type": "application/xml", "x-ms-error-code": e.code}
        if e.status == 401:
            fields["WWW-Authenticate"] = (
                "Bearer authorization_uri="
                f"https://{names.LOGIN}/{names.TENANT}/oauth2/authorize "
                "resource_id=https://storage.azure.com"
            )
        text = (
            '<?xml version="1.0" encoding="utf-8"?><Error>'
            f"<Code>{e.code}</Code><Message>{e}</Message></Error>"
        )
        self.reply(e.status, text.encode(), fields)


SCOPE = re.compile(
    r"^/(?P<api>mlflow|history)/(?P<version>v[12]\.0)"
    r"/subscriptions/(?P<sub>[^/]+)/resource[gG]roups/(?P<rg>[^/]+)/providers"
    r"/Microsoft\.MachineLearningServices/workspaces/(?P<ws>[^/]+)"
    r"(?P<rest>/.*)$"
)
ARTIFACTS = re.compile(
    r"^/experiments/(?P<exp>[^/]+)/runs/(?P<run>[^/]+)/artifacts"
    r"(?P<what>/.*)?$"
)
# The server knows one root; Azure ML's own URIs have /runs/ in them.
RUN_URI = re.compile(rb"(/experiments/[^/\"]+)/([0-9a-f]{32})/artifacts")


class AzureMl(Front):
    """The workspace's MLflow and run-artifact interfaces."""

    artifacts = None

    def dispatch(self):
        parts = urlsplit(self.path)
        scope = SCOPE.match(parts.path)
        if not scope or scope["sub"] != names.SUBSCRIPTION:
            self.body()
            self.reply(404, {"error": {"code": "UserError"}})
            return
        if scope["api"] == "history":
            self._history(scope["rest"], parse_qs(parts.query))
            return
        rest = scope["rest"]
        # azureml:// clients append MLflow's own /api/2.0/mlflow/...
        rest = rest if rest.startswith("/api/") else "/api/2.0" + rest
        query = "?" + parts.query if parts.query else ""
        self.forward(
            rest + query,
            drop={"authorization", "host"},
            rewrite=lambda b: RUN_URI.sub(rb"\1/runs/\2/artifacts", b),
        )

    def _history(self, rest, query):
        data = self.body()
        match = ARTIFACTS.match(rest)
        if not match:
            self.reply(404, {"error": {"code": "NotFound"}})
            return
        run, what = match["run"], match["what"] or ""
        if what == "/batch/metadata" and self.command == "POST":
            wanted = [p["path"] for p in json.loads(data)["paths"]]
            self.reply(200, self.artifacts.create(run, wanted))
        elif what == "/contentinfo":
            info = self.artifacts.find(run, query["path"][0])
            missing = {"error": {"code": "UserError", "message": "no such"}}
            self.reply(*((200, info) if info else (404, missing)))
        elif what == "":
            self.reply(200, {"value": self.artifacts.list(run)})
        else:
            self.reply(404, {"error": {"code": "NotFound"}})


def inner_tls():
    """Azurite's certificate is for the services' names, not for its own."""
    inner = ssl.create_default_context()
    inner.check_hostname = False
    inner.verify_mode = ssl.CERT_NONE
    return inner


def serve(authority, azurite_port, mlflow_port, artifacts):
    """The fronts of both accounts and of the workspace."""
    tls = web.tls_context()
    inner = inner_tls()
    shared = {"authority": authority}
    for host in (names.ACCT1, names.ACCT2):
        own = {
            **shared,
            "host": host,
            "backend": ("127.0.0.1", azurite_port),
            "backend_tls": inner,
        }
        handler = type("Blob", (Blob,), own)
        web.start((names.ENDPOINTS[host], 443), handler, tls)
    own = {
        **shared,
        "host": names.AZUREML,
        "backend": ("127.0.0.1", mlflow_port),
        "artifacts": artifacts,
    }
    handler = type("AzureMl", (AzureMl,), own)
    web.start((names.ENDPOINTS[names.AZUREML], 443), handler, tls)
