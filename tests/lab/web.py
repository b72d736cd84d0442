"""Small HTTP servers: threads, TLS, JSON answers, a count of connections."""

import json
import socket
import ssl
import struct
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import paths


def reset(sock):
    """Close with RST instead of FIN."""
    sock.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    sock.close()


class Server(ThreadingHTTPServer):
    """TLS is shaken hands in the connection's own thread."""

    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, address, handler, tls=None):
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.tls = tls
        self.accepted = 0
        super().__init__(address, handler)

    def server_bind(self):
        # Without http.server's look-up of the host's own name.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]

    def get_request(self):
        sock, peer = super().get_request()
        self.accepted += 1
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            sock = self.tls.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False
            )
        return sock, peer

    def handle_error(self, request, client_address):
        pass


def start(address, handler, tls=None):
    """Serve for ever in a thread; returns the server."""
    server = Server(address, handler, tls)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def tls_context(cert=paths.CERT_FILE, key=paths.KEY_FILE, versions=None):
    """A server's; versions: its lowest and highest, if not the library's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if versions:
        # Old versions need digests that the default level forbids.
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = versions
    context.load_cert_chain(cert, key)
    return context


class Handler(BaseHTTPRequestHandler):
    """What the stubs share: a body that is read, and JSON answers."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    # Buffered, so that head and body of a small answer share a record.
    wbufsize = 65536
    seen = None

    def log_message(self, *args):
        pass

    def handle_one_request(self):
        super().handle_one_request()
        try:
            self.wfile.flush()
        except (OSError, ValueError):
            self.close_connection = True

    def body_chunks(self):
        """The body as sent, by Content-Length or chunked, in pieces."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.flush()
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            yield from self._chunked()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                raise ConnectionError("body ended early")
            left -= len(piece)
            yield piece

    def _chunked(self):
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            if size:
                yield self.rfile.read(size)
                self.rfile.readline()
                continue
            while (line := self.rfile.readline()).strip():
                self.trailer(line)
            return

    def trailer(self, line):
        """A field after the last chunk."""

    def body(self):
        return b"".join(self.body_chunks())

    def reply(self, status, value=None, fields=None):
        """Send JSON, or bytes as they are."""
        data = value
        if not isinstance(value, bytes):
            data = b"" if value is None else json.dumps(value).encode()
        fields = dict(fields or {})
        fields.setdefault("Content-Type", "application/json")
        self.send_response(status)
        for name, text in fields.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
