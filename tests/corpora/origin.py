"""A destination that records every byte and says what it is told to say."""

import re
import socket
import threading

from . import responses, strict

HEAD_END = b"\r\n\r\n"


def careless(data):
    """A request as a careless server reads it: any Transfer-Encoding that
    smells of chunked wins, lines may end anyhow. (target, rest) or None."""
    found = re.match(rb"[\r\n]*(.*?)\r?\n\r?\n", data, re.DOTALL)
    if not found:
        return None
    lines = re.split(rb"\r\n|\n|\r", found[1])
    words = lines[0].split()
    rest = data[found.end() :]
    chunked, length = False, 0
    for line in lines[1:]:
        name, _, value = line.lower().partition(b":")
        name = name.strip(bytes(range(33)))
        if name == b"transfer-encoding" and b"chunked" in value:
            chunked = True
        if name == b"content-length":
            digits = re.search(rb"[0-9]+", value)
            length = int(digits[0]) if digits else 0
    target = words[1] if len(words) > 1 else b"?"
    if not chunked:
        return None if len(rest) < length else (target, rest[length:])
    while True:
        size = re.match(rb"[ \t]*([0-9A-Fa-f]+)[^\n]*\n", rest)
        if not size:
            return None
        rest = rest[size.end() :]
        if int(size[1], 16) == 0:
            break
        rest = rest[int(size[1], 16) + 2 :]
    end = re.match(rb"(?:[^\n]+\n)*\r?\n", rest)
    return (target, rest[end.end() :]) if end else None


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.raw = b""


class Origin:
    """Serves on one address; take() gives what came since the last take.
    With a server's TLS it wants one Authorization field in each head."""

    def __init__(self, address, port, name, lenient, tls=None):
        self.host = f"{name}:{port}".encode()
        self.lenient = lenient
        self.tls = tls
        self.lock = threading.Lock()
        self.connections, self.seen, self.faults = [], [], []
        self.listener = socket.create_server((address, port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def take(self):
        with self.lock:
            seen, faults = self.seen, self.faults
            raw = [c.raw for c in self.connections if c.raw]
            self.seen, self.faults = [], []
            for c in self.connections:
                c.raw = b""
        return seen, faults, raw

    def _accept(self):
        while True:
            sock, _ = self.listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock)
            with self.lock:
                self.connections.append(connection)
            threading.Thread(
                target=self._serve, args=(connection,), daemon=True
            ).start()

    def _note(self, message, target):
        with self.lock:
            self.seen.append((message, target))

    def _one(self, data):
        if self.lenient:
            found = careless(data)
            return found and (None, *found)
        found = strict.read(data, self.host)
        if not found:
            return None
        tokens = found[0].values(b"authorization")
        if self.tls and len(tokens) != 1:
            raise strict.Fault(f"{len(tokens)} fields Authorization")
        return found[0], found[0].target, found[1]

    def _serve(self, connection):
        data = b""
        try:
            if self.tls:
                connection.sock = self.tls.wrap_socket(
                    connection.sock, server_side=True
                )
            while piece := connection.sock.recv(65536):
                with self.lock:
                    connection.raw += piece
                data += piece
                while data and (found := self._one(data)):
                    message, target, data = found
                    self._note(message, target)
                    if not self._answer(connection.sock, message, target):
                        return
        except strict.Fault as fault:
            with self.lock:
                self.faults.append(str(fault))
        except OSError:
            pass
        finally:
            self._close(connection.sock)
            with self.lock:
                if not connection.raw:
                    self.connections.remove(connection)

    def _close(self, sock):
        """By FIN; where TLS is spoken, after its own word for the end."""
        try:
            if self.tls:
                sock.settimeout(1)
                sock.unwrap()
        except (OSError, ValueError):
            pass
        sock.close()

    def _answer(self, sock, message, target):
        """False: the connection ends with it."""
        name = target.decode("latin-1").rpartition("/")[2]
        if target.startswith(b"/say/"):
            return responses.say(sock, name)
        head = message is not None and message.method == b"HEAD"
        sock.sendall(
            b"HTTP/1.1 200 OK\r\nX-Seen: "
            + target[:200]
            + b"\r\nContent-Length: 2\r\n\r\n"
            + (b"" if head else b"ok")
        )
        return True
