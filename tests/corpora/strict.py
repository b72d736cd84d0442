"""Reads what the agent sent on as a severe origin would: one reading or none.

Anything that RFC 9112 does not spell out for a sender is a fault here, and
so is every field that ends at a proxy.
"""

import re

HEAD_END = b"\r\n\r\n"
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rb"(" + _TOKEN + rb") (\*|/[\x21-\x7e]*) HTTP/1\.1")
_FIELD = re.compile(rb"(" + _TOKEN + rb"): ?([\t\x20-\x7e\x80-\xff]*)")
_CHUNK = re.compile(rb"[1-9a-f][0-9a-f]{0,7}|0")
_HOPS = {
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"proxy-authorization",
    b"te",
    b"upgrade",
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
}


class Fault(Exception):
    """The bytes can be read in no way, or in more than one."""


class Message:
    """One request as it arrived."""

    def __init__(self, method, target, fields):
        self.method = method
        self.target = target
        self.fields = fields
        self.body = b""
        self.trailers = []

    def values(self, name):
        return [v for n, v in self.fields if n.lower() == name]


def _fields(lines):
    fields = []
    for line in lines:
        found = _FIELD.fullmatch(line)
        if not found or found[2] != found[2].strip(b" \t"):
            raise Fault(f"field line {line!r}")
        fields.append((found[1], found[2]))
    return fields


def _head(head, host):
    lines = head.split(b"\r\n")
    line = _LINE.fullmatch(lines[0])
    if not line:
        raise Fault(f"request line {lines[0]!r}")
    message = Message(line[1], line[2], _fields(lines[1:]))
    hops = _HOPS & {n.lower() for n, _ in message.fields}
    if hops:
        raise Fault(f"fields of one hop: {sorted(hops)}")
    if message.values(b"host") != [host]:
        raise Fault(f"Host is {message.values(b'host')}")
    vias = message.values(b"via")
    if not vias or vias[-1] not in (b"1.0 wayleave", b"1.1 wayleave"):
        raise Fault(f"Via is {vias}")
    return message


def _chunked(message, rest):
    """Takes a chunked body off @rest; None while it is not whole."""
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            return None
        if not _CHUNK.fullmatch(line):
            raise Fault(f"chunk line {line!r}")
        size = int(line, 16)
        if size == 0:
            break
        if len(rest) < size + 2:
            return None
        if rest[size : size + 2] != b"\r\n":
            raise Fault("a chunk does not end in CRLF")
        message.body += rest[:size]
        rest = rest[size + 2 :]
    if rest.startswith(b"\r\n"):
        return rest[2:]
    trailers, end, rest = rest.partition(HEAD_END)
    if not end:
        return None
    message.trailers = _fields(trailers.split(b"\r\n"))
    return rest


def read(data, host):
    """One message off @data: (message, rest), or None while not whole."""
    head, end, rest = data.partition(HEAD_END)
    if not end:
        return None
    message = _head(head, host)
    lengths = message.values(b"content-length")
    codings = message.values(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise Fault("more than one framing")
    if codings:
        if codings != [b"chunked"]:
            raise Fault(f"coding {codings}")
        rest = _chunked(message, rest)
    elif lengths:
        if not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
            raise Fault(f"length {lengths}")
        size = int(lengths[0])
        message.body, rest = rest[:size], rest[size:]
        if len(message.body) < size:
            rest = None
    return None if rest is None else (message, rest)
