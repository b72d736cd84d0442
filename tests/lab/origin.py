"""An origin that plays what a test wrote for its next connections."""

import socket
import threading

from . import names, script, web

# 80: plain HTTP; 443: TLS; RAW: whatever, by a rule with "sni": "any";
# BEHIND, COLD: TLS, by a gateway each.
RAW = 9000
CLOSED = 9001
BEHIND, COLD = 9002, 9003
PORTS = (80, 443, RAW, BEHIND, COLD)


class Origin:
    """Connections take the plays in turn; the last one is for all others."""

    def __init__(self):
        self._lock = threading.Lock()
        self._plays = []
        self._told = []
        self._open = 0
        self._tls = web.tls_context()
        for port in PORTS:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((names.FAULTY_ADDRESS, port))
            sock.listen(512)
            threading.Thread(
                target=self._accept, args=(sock,), daemon=True
            ).start()

    def set(self, plays):
        with self._lock:
            self._plays = list(plays)
            self._told = []

    def told(self):
        """What happened so far, and how many connections are open."""
        with self._lock:
            return {"told": list(self._told), "open": self._open}

    def _next(self):
        with self._lock:
            self._open += 1
            if len(self._plays) > 1:
                return self._plays.pop(0)
            return self._plays[0] if self._plays else [["close"]]

    def _accept(self, sock):
        while True:
            conn, _ = sock.accept()
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(
                target=self._serve, args=(conn, self._next()), daemon=True
            ).start()

    def _serve(self, conn, steps):
        def wrap(plain):
            return self._tls.wrap_socket(plain, server_side=True)

        told = script.play(conn, steps, wrap)
        with self._lock:
            self._open -= 1
            self._told.append(told)
