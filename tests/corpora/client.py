"""A client that writes bytes in pieces and reads answers severely."""

import re
import socket

LIMIT_S = 8
LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*\r\n")


class Answer:
    """@body is None where the end is missing."""

    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields
        self.body = body

    def __repr__(self):
        return f"{self.status} {self.body!r:.40}"


def _dechunk(data, at):
    body = b""
    while True:
        line = re.compile(rb"([0-9a-f]+)\r\n").match(data, at)
        if not line:
            return None
        size, at = int(line[1], 16), line.end()
        if size == 0:
            end = re.compile(rb"(?:[^\r\n]+\r\n)*\r\n").match(data, at)
            return (body, end.end()) if end else None
        if data[at + size : at + size + 2] != b"\r\n":
            return None
        body += data[at : at + size]
        at += size + 2


def _body(data, at, status, fields, method, ended):
    """(body, end), or None while it is not whole."""
    if method == b"HEAD" or status in (204, 304):
        return b"", at
    if fields.get(b"transfer-encoding") == b"chunked":
        return _dechunk(data, at)
    length = fields.get(b"content-length")
    if length is not None:
        end = at + int(length)
        return (data[at:end], end) if len(data) >= end else None
    return (data[at:], len(data)) if ended == "closed" else None


def parse(data, methods, ended):
    """The final answers in @data; ValueError where a byte belongs to none.
    @ended: "open", "closed" or "reset"."""
    answers, at = [], 0
    while at < len(data):
        line = LINE.match(data, at)
        end = data.find(b"\r\n\r\n", at)
        if not line or end < 0:
            raise ValueError(f"no answer: {data[at : at + 60]!r}")
        pairs = [
            f.partition(b":") for f in data[line.end() : end].split(b"\r\n")
        ]
        fields = {n.lower(): v.strip() for n, _, v in pairs}
        status, at = int(line[1]), end + 4
        if status < 200:
            continue
        method = methods[len(answers)] if len(answers) < len(methods) else b""
        found = _body(data, at, status, fields, method, ended)
        if found is None:
            return [*answers, Answer(status, fields, None)]
        answers.append(Answer(status, fields, found[0]))
        at = found[1]
    return answers


class Client:
    """@inside, an authority: by a tunnel to there, in TLS that @context
    believes."""

    def __init__(self, address, inside=None, context=None):
        self.sock = socket.create_connection(address, LIMIT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if inside:
            self._tunnel(inside, context)
        self.data = b""
        self.ended = "open"

    def _tunnel(self, inside, context):
        asked = f"CONNECT {inside} HTTP/1.1\r\nHost: {inside}\r\n\r\n"
        self.sock.sendall(asked.encode())
        said = b""
        while not said.endswith(b"\r\n\r\n"):
            said += self.sock.recv(1)
        if b" 200 " not in said.split(b"\r\n")[0]:
            raise ValueError(f"no tunnel: {said}")
        self.sock = context.wrap_socket(
            self.sock,
            server_hostname=inside.rpartition(":")[0],
            suppress_ragged_eofs=False,
        )

    def say(self, data, piece=0):
        try:
            for at in range(0, len(data), piece or len(data)):
                self.sock.sendall(data[at : at + (piece or len(data))])
        except OSError:
            pass  # what was said in return can still be read

    def hear(self, limit_s):
        """False: nothing more came in that time."""
        self.sock.settimeout(limit_s)
        try:
            got = self.sock.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            self.ended = "reset"
            return False
        self.data += got
        if not got:
            self.ended = "closed"
        return bool(got)

    def answers(self, count, methods, extra_s=0.03):
        """Reads until @count answers are whole, and a little longer."""
        while self.ended == "open":
            try:
                found = parse(self.data, methods, self.ended)
            except ValueError:
                found = []  # a head that is not whole yet
            whole = [a for a in found if a.body is not None]
            if not self.hear(LIMIT_S if len(whole) < count else extra_s):
                break
        return parse(self.data, methods, self.ended)

    def close(self):
        self.sock.close()
