"""One end of a connection that does what a list of steps says.

A step is a list: its name, then its arguments. What happened is told as a
dict: "got" (what was read, latin-1, its first 64 KiB), "bytes" (how many were
read), "ended" ("eof", "reset", "cut": TLS without its close_notify, or None),
"error", "s" (how long all took).

    ["send", text]   latin-1          ["zeros", n]    n zero bytes
    ["drip", text, s] a byte each s   ["again", n, steps]
    ["head"]         up to an empty line
    ["read", n]      n bytes          ["some"]        what comes next
    ["all"]          to the end       ["wait", s]
    ["tls"]          shake hands      ["shut"]        no more is sent
    ["forget"]       what was read
    ["reset"]        end with RST     ["close"]       end with FIN

As a program: reads a JSON list of {"to": [address, port], "steps",
"server_name", "ca"} on stdin, plays one after the other, prints a JSON line
for each.
"""

import json
import socket
import ssl
import struct
import sys
import time

LIMIT_S = 30
KEPT_BYTES = 65536


class Ended(Exception):
    """The other side has no more to say."""


class End:
    """One end of a connection."""

    def __init__(self, sock, wrap):
        self.sock = sock
        self.wrap = wrap
        self.kept = b""
        self.told = {"bytes": 0, "ended": None, "error": None}
        sock.settimeout(LIMIT_S)

    def take(self, n):
        try:
            data = self.sock.recv(n)
        except ConnectionError as e:
            self.told["ended"] = "reset"
            raise Ended from e
        except ssl.SSLEOFError as e:
            self.told["ended"] = "cut"
            raise Ended from e
        if not data:
            self.told["ended"] = "eof"
            raise Ended
        self.told["bytes"] += len(data)
        self.kept += data[: KEPT_BYTES - len(self.kept)]
        return data

    def do_send(self, text):
        self.sock.sendall(text.encode("latin-1"))

    def do_zeros(self, n):
        piece = bytes(65536)
        while n:
            n -= self.sock.send(piece[: min(n, len(piece))])

    def do_drip(self, text, pause_s):
        for byte in text.encode("latin-1"):
            self.sock.sendall(bytes([byte]))
            time.sleep(pause_s)

    def do_again(self, n, steps):
        for _ in range(n):
            self.play(steps)

    def do_head(self):
        seen = b""
        while not seen.endswith(b"\r\n\r\n"):
            seen += self.take(1)

    def do_read(self, n):
        while n:
            n -= len(self.take(min(n, 65536)))

    def do_some(self):
        self.take(65536)

    def do_all(self):
        try:
            while True:
                self.take(65536)
        except Ended:
            pass

    def do_forget(self):
        self.kept = b""

    def do_wait(self, pause_s):
        time.sleep(pause_s)

    def do_tls(self):
        self.sock = self.wrap(self.sock)

    def do_shut(self):
        self.sock.shutdown(socket.SHUT_WR)

    def do_reset(self):
        linger = struct.pack("ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.sock.close()

    def do_close(self):
        self.sock.close()

    def play(self, steps):
        for name, *arguments in steps:
            getattr(self, "do_" + name)(*arguments)


def play(sock, steps, wrap=None):
    """All steps, or as far as they go; what happened."""
    start = time.monotonic()
    end = End(sock, wrap)
    try:
        end.play(steps)
    except Ended:
        pass
    except OSError as e:
        end.told["error"] = f"{type(e).__name__}: {e}"
        if isinstance(e, ConnectionError):
            end.told["ended"] = end.told["ended"] or "reset"
    end.sock.close()
    end.told["got"] = end.kept.decode("latin-1")
    end.told["s"] = round(time.monotonic() - start, 3)
    return end.told


def client(order):
    def wrap(sock):
        context = ssl.create_default_context(cafile=order["ca"])
        return context.wrap_socket(
            sock,
            server_hostname=order["server_name"],
            suppress_ragged_eofs=False,
        )

    try:
        sock = socket.create_connection(tuple(order["to"]), LIMIT_S)
    except OSError as e:
        return {"error": f"{type(e).__name__}: {e}", "got": "", "bytes": 0}
    return play(sock, order["steps"], wrap)


def main():
    for order in json.load(sys.stdin):
        print(json.dumps(client(order)), flush=True)


if __name__ == "__main__":
    main()
