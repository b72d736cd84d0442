"""169.254.169.254: hands out tokens, and fails in each way that is known."""

import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, unquote, urlsplit

from . import names, web

TOKEN_PATH = "/metadata/identity/oauth2/token"
SELECTORS = ("client_id", "object_id", "msi_res_id", "mi_res_id")
TEXTS = {
    400: ("invalid_request", "Identity not found"),
    404: ("not_found", "IMDS is updating"),
    410: ("gone", "IMDS is updating, back within 70 s"),
    429: ("too_many_requests", "Temporarily throttled"),
}


class Imds:
    """The switch, the cache and the log of one metadata service."""

    def __init__(self, authority):
        self.authority = authority
        self._lock = threading.Lock()
        self._cache = {}
        self._busy = 0
        self._stop_hang = threading.Event()
        self.log = deque(maxlen=20000)
        self.most_busy = 0
        self.reset()

    def reset(self):
        """All well, tokens of 24 hours, nothing cached."""
        self._stop_hang.set()
        with self._lock:
            self._cache.clear()
            self.most_busy = 0
            self.fault = None
            self.only = {}
            self.life_s = 86400
            self.delay_s = 0.0
        self._stop_hang = threading.Event()

    def switch(self, fault=None, life_s=None, delay_s=None, **details):
        """Name a fault (see _fail and _token) until the next switch.

        times: how many answers it spoils; retry_after: the field's value;
        resource: for this one alone, beside the faults of others.
        """
        resource = details.pop("resource", None)
        with self._lock:
            if resource is not None:
                self.only[resource] = {
                    "name": str(fault or ""),
                    "life_s": life_s,
                    **details,
                }
                return
            if fault is None:
                self._stop_hang.set()
                self._stop_hang = threading.Event()
            self.fault = fault and {"name": str(fault), **details}
            if life_s is not None:
                self.life_s = life_s
                self._cache.clear()
            if delay_s is not None:
                self.delay_s = delay_s

    def forget(self):
        """Drop the platform's own cache, as a new identity would."""
        with self._lock:
            self._cache.clear()

    def enter(self, path, headers):
        with self._lock:
            self._busy += 1
            self.most_busy = max(self.most_busy, self._busy)
            self.log.append(
                {
                    "time": time.time(),
                    "path": path,
                    "metadata": headers.get("Metadata"),
                    "resource": resource_of(path),
                }
            )
            fault = self.only.get(resource_of(path), self.fault)
            if fault and "times" in fault:
                if fault["times"] <= 0:
                    if fault is self.fault:
                        self.fault = None
                    fault = None
                else:
                    fault["times"] -= 1
            return fault, self.delay_s, self._stop_hang

    def leave(self):
        with self._lock:
            self._busy -= 1

    def token(self, identity, resource, bypass, same=False):
        """As the platform does: the same token again until an hour is over;
        or, where that is the fault, until it has ended."""
        key = (identity, resource)
        with self._lock:
            have = self._cache.get(key)
            own = self.only.get(resource, {}).get("life_s")
            life_s = own or self.life_s
        now = time.time()
        if have and same and have["expires_on"] > now:
            return have
        fresh = have and have["expires_on"] > now + 5
        if fresh and not bypass and now < have["at"] + min(3600, life_s / 2):
            return have
        token, expires_on = self.authority.mint(identity, resource, life_s)
        have = {
            "token": token,
            "expires_on": expires_on,
            "at": now,
            "life_s": life_s,
        }
        with self._lock:
            self._cache[key] = have
        return have


def resource_of(path):
    return dict(parse_qsl(urlsplit(path).query)).get("resource")


def choose(query):
    """The identity for the selectors of a query, or None."""
    given = [(k, v) for k, v in query if k in SELECTORS]
    if len(given) > 1:
        return None
    if not given:
        return "host"
    key, value = given[0]
    key = "mi_res_id" if key == "msi_res_id" else key
    for name, ids in names.IDENTITIES.items():
        if ids[key] and ids[key].lower() == value.lower():
            return name
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    imds = None

    def log_message(self, *args):
        pass

    def do_POST(self):
        self._error(405, "method_not_allowed", "GET only")

    do_PUT = do_DELETE = do_HEAD = do_POST

    def do_GET(self):
        fault, delay_s, hang = self.imds.enter(self.path, self.headers)
        try:
            if delay_s:
                time.sleep(delay_s)
            if fault and self._fail(fault, hang):
                return
            self._answer(fault)
        finally:
            self.imds.leave()

    def _fail(self, fault, hang):
        name = fault["name"]
        if name.isdigit():
            code = int(name)
            error, text = TEXTS.get(code, ("server_error", "try again"))
            fields = {}
            if fault.get("retry_after") is not None:
                fields["Retry-After"] = str(fault["retry_after"])
            self._error(code, error, text, fields)
            return True
        if name == "hang":
            hang.wait(120)
            self.close_connection = True
            return True
        if name == "reset":
            web.reset(self.connection)
            self.close_connection = True
            return True
        if name == "garbage":
            self._send(200, b"<html>not a token</html>", {})
            return True
        if name == "empty":
            self._send(200, b"", {})
            return True
        return False

    def _answer(self, fault):
        parts = urlsplit(self.path)
        if parts.path.lower().rstrip("/") != TOKEN_PATH:
            self._error(404, "not_found", "no such path")
            return
        if self.headers.get("Metadata", "").lower() != "true":
            self._error(
                400,
                "bad_request_102",
                "Required metadata header not specified",
            )
            return
        if self.headers.get("X-Forwarded-For"):
            self._error(400, "bad_request", "X-Forwarded-For is not allowed")
            return
        query = parse_qsl(parts.query, keep_blank_values=True)
        keys = [k for k, _ in query]
        if len(keys) != len(set(keys)) or "api-version" not in keys:
            self._error(400, "invalid_request", "bad query")
            return
        resource = dict(query).get("resource", "")
        if not resource or " " in unquote(resource):
            self._error(400, "invalid_resource", "resource is missing")
            return
        identity = choose(query)
        if identity is None:
            self._error(400, "invalid_request", "Identity not found")
            return
        bypass = dict(query).get("bypass_cache") == "true"
        same = bool(fault) and fault["name"] == "same"
        have = self.imds.token(identity, resource, bypass, same)
        self._token(have, identity, resource, fault)

    def _token(self, have, identity, resource, fault):
        left = have["expires_on"] - int(time.time())
        name = fault["name"] if fault else ""
        if name == "stale":
            left = have["life_s"] + 3600
        body = {
            "access_token": have["token"],
            "client_id": names.IDENTITIES[identity]["client_id"],
            "expires_in": str(left),
            "expires_on": str(have["expires_on"]),
            "ext_expires_in": str(left),
            "not_before": str(have["expires_on"] - have["life_s"]),
            "resource": resource,
            "token_type": "Bearer",
        }
        if name == "expired":
            body["expires_on"] = str(int(time.time()) - 10)
        if name == "no_token":
            del body["access_token"]
        data = json.dumps(body).encode()
        if name == "truncated":
            self._send(200, data[: len(data) // 2], {}, length=len(data))
            self.close_connection = True
            return
        if name == "slow":
            self._slow(data)
            return
        if name == "big":
            data = b" " * (1 << 21) + data
        self._send(200, data, {})

    def _slow(self, data):
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        step = max(1, len(data) // 20)
        for at in range(0, len(data), step):
            self.wfile.write(data[at : at + step])
            self.wfile.flush()
            time.sleep(0.1)

    def _error(self, status, error, text, fields=None):
        body = json.dumps({"error": error, "error_description": text})
        self._send(status, body.encode(), fields or {})

    def _send(self, status, data, fields, length=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length or len(data)))
        self.end_headers()
        self.wfile.write(data)


def serve(imds):
    handler = type("ImdsHandler", (_Handler,), {"imds": imds})
    return web.start((names.IMDS, 80), handler)
