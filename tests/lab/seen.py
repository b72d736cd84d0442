"""An https origin that notes each head as it came, and who it proves.

What an Authorization field held is told to the test alone, as whose token for
which audience it is, and sent back only where that is asked for.

    /bytes/N    N bytes            /chunked/N  the same, chunked
    /close/N    to a clean end     /cut/N      to an end without close_notify
    /events/N   N events, one each 0.3 s       /wait/S  answers late
    /echo/N     what Authorization held, in pieces of N bytes
    /status/N   that status        /no-body    417 instead of 100 Continue
"""

import hashlib
import re
import ssl
import threading
import time
from urllib.parse import urlsplit

import jwt

from . import names, paths, pki, web

EVENT_S = 0.3
PATTERN = bytes(range(256)) * 256


def digest(n):
    """SHA-256 of what /bytes/N sends."""
    whole, rest = divmod(n, len(PATTERN))
    seen = hashlib.sha256()
    for _ in range(whole):
        seen.update(PATTERN)
    seen.update(PATTERN[:rest])
    return seen.hexdigest()


def proved(authority, field):
    """Whose token for which audience; or the text, if it is none."""
    kind, _, token = field.partition(" ")
    if kind.lower() != "bearer" or token not in authority.minted:
        return field
    claims = jwt.decode(token, options={"verify_signature": False})
    for name, ids in names.PRINCIPALS.items():
        if ids["object_id"] == claims["oid"]:
            return f"{name} {claims['aud']}"
    return "unknown"


class Notes:
    """What came since the last look."""

    def __init__(self, authority):
        self.authority = authority
        self._lock = threading.Lock()
        self._seen = []

    def add(self, entry):
        with self._lock:
            self._seen.append(entry)

    def take(self):
        with self._lock:
            seen, self._seen = self._seen, []
        return seen


class Seen(web.Handler):
    """See above; notes is a Notes."""

    notes = None

    def setup(self):
        super().setup()
        self.trailers = []

    def handle_expect_100(self):
        if self.path == "/no-body":
            self.close_connection = True
            self._note(0, "")
            self.reply(417, {"said": "no"}, {"Connection": "close"})
            return False
        return super().handle_expect_100()

    def trailer(self, line):
        self.trailers.append(line.decode("latin-1").strip())

    def _note(self, size, sha256):
        others, proofs = [], []
        for name, value in self.headers.items():
            if name.lower() == "authorization":
                proofs.append(proved(self.notes.authority, value))
            else:
                others.append([name, value])
        entry = {
            "line": self.raw_requestline.decode("latin-1").rstrip("\r\n"),
            "fields": others,
            "authorization": proofs,
            "trailers": self.trailers,
            "bytes": size,
            "sha256": sha256,
            "tls": self.connection.version(),
            "port": self.server.server_port,
        }
        self.trailers = []
        self.notes.add(entry)
        return entry

    def _serve(self):
        sha256, size = hashlib.sha256(), 0
        for piece in self.body_chunks():
            sha256.update(piece)
            size += len(piece)
        entry = self._note(size, sha256.hexdigest())
        entry = {k: v for k, v in entry.items() if k != "authorization"}
        asked = re.match(r"^/([a-z]+)/([0-9.]+)$", urlsplit(self.path).path)
        act = asked and getattr(self, "_" + asked[1], None)
        if not act:
            self.reply(200, entry)
            return
        act(float(asked[2]) if "." in asked[2] else int(asked[2]))

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = _serve
    do_OPTIONS = _serve

    def _head(self, *fields):
        self.send_response(200)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def _pieces(self, n):
        while n and self.command != "HEAD":
            piece = PATTERN[: min(n, len(PATTERN))]
            n -= len(piece)
            yield piece

    def _bytes(self, n):
        self._head(("Content-Length", str(n)))
        for piece in self._pieces(n):
            self.wfile.write(piece)

    def _chunked(self, n=None):
        if n is None:
            return super()._chunked()
        self._head(("Transfer-Encoding", "chunked"))
        for piece in self._pieces(n):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if self.command != "HEAD":
            self.wfile.write(b"0\r\n\r\n")
        return None

    def _echo(self, n):
        text = self.headers.get("Authorization", "").encode()
        self._head(("Transfer-Encoding", "chunked"))
        for i in range(0, len(text), n):
            piece = text[i : i + n]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _close(self, n):
        self._cut(n)
        try:
            self.connection.unwrap()
        except OSError:
            pass

    def _cut(self, n):
        self.close_connection = True
        self._head(("Connection", "close"))
        for piece in self._pieces(n):
            self.wfile.write(piece)
        self.wfile.flush()

    def _events(self, n):
        self.close_connection = True
        self._head(("Content-Type", "text/event-stream"))
        for i in range(n):
            if i:
                time.sleep(EVENT_S)
            self.wfile.write(b"data: %d\n\n" % i)
            self.wfile.flush()
        self._close_notify()

    def _close_notify(self):
        try:
            self.connection.unwrap()
        except OSError:
            pass

    def _wait(self, pause_s):
        time.sleep(pause_s)
        self.reply(200, {"waited": pause_s})

    def _status(self, code):
        if code in (204, 304):
            self.send_response(code)
            self.end_headers()
        else:
            self.reply(code, {"status": code})


V = ssl.TLSVersion
# How the origin proves to be names.PROOFS, port by port: the chain (see
# pki.proofs), the versions that it speaks, whether that is to be believed.
PROOFS = {
    8500: ("good", None, True),
    8501: ("good", (V.TLSv1_2, V.TLSv1_2), True),
    8502: ("good", (V.TLSv1_3, V.TLSv1_3), True),
    8503: ("wildcard", None, True),
    8504: ("by a middle one", None, True),
    # These two have rules of their own: see gateways.py.
    8505: ("good", None, True),
    8506: ("good", None, True),
    8510: ("good", (V.TLSv1_1, V.TLSv1_1), False),
    8511: ("good", (V.TLSv1, V.TLSv1), False),
    8520: ("wrong host", None, False),
    8521: ("part of a label", None, False),
    8522: ("subject alone", None, False),
    8523: ("expired", None, False),
    8524: ("not yet valid", None, False),
    8525: ("for clients", None, False),
    8526: ("itself", None, False),
    8527: ("untrusted", None, False),
    8528: ("by no authority", None, False),
    8529: ("middle one missing", None, False),
}


def contexts(ca):
    """port -> a server's TLS, with certificates made now."""
    made, found = pki.proofs(ca, names.PROOFS), {}
    folder = paths.STATE / "proofs"
    folder.mkdir()
    for port, (name, versions, _) in PROOFS.items():
        files = [folder / f"{port}.pem", folder / f"{port}.key"]
        for file, data in zip(files, made[name], strict=True):
            file.write_bytes(data)
        found[port] = web.tls_context(*files, versions)
    return found


def serve(notes):
    handler = type("Seen", (Seen,), {"notes": notes})
    place = (names.ENDPOINTS[names.SEEN], 443)
    web.start(place, handler, web.tls_context())


def serve_proofs(notes, ca):
    handler = type("Seen", (Seen,), {"notes": notes})
    for port, context in contexts(ca).items():
        web.start((names.PROOFS_ADDRESS, port), handler, context)
