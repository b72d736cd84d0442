"""What a hostile destination says, and what the client may see of it."""

import time

DATE = "HTTP/1.1 200 OK\r\nDate: d\r\n"
OK = DATE + "Content-Length: 2\r\n\r\nok"
CHUNKED = DATE + "Transfer-Encoding: chunked\r\n\r\n"
EVIL = "HTTP/1.1 200 OK\r\nX-Seen: /evil\r\nContent-Length: 4\r\n\r\nevil"


class Response:
    """@status the client gets; @body it can read, None where the end must
    be visibly missing; @keep the connection open after the bytes; @later
    comes when the connection is idle again."""

    def __init__(self, said, status=502, body=b"", keep=True, later=""):
        self.said = said
        self.status = status
        self.body = body
        self.keep = keep
        self.later = later


def _refused(said, **more):
    return Response(said, 502, **more)


def _cut(said, **more):
    return Response(said, 200, None, **more)


def _head(*fields):
    return "HTTP/1.1 200 OK\r\n" + "".join(f"{f}\r\n" for f in fields) + "\r\n"


FRAMING = {
    "coding-and-length": Response(
        _head("Content-Length: 3", "Transfer-Encoding: chunked")
        + "2\r\nok\r\n0\r\n\r\n",
        200,
        b"ok",
    ),
    "coding-and-length-evil": Response(
        _head("Transfer-Encoding: chunked", "Content-Length: 3")
        + "2\r\nok\r\n0\r\n\r\n"
        + EVIL,
        200,
        b"ok",
    ),
    "two-lengths": _refused(
        _head("Content-Length: 2", "Content-Length: 3") + "okk"
    ),
    "equal-lengths": _refused(
        _head("Content-Length: 2", "Content-Length: 2") + "ok"
    ),
    "length-list": _refused(_head("Content-Length: 2, 2") + "ok"),
    "signed-length": _refused(_head("Content-Length: +2") + "ok"),
    "negative-length": _refused(_head("Content-Length: -2") + "ok"),
    "hex-length": _refused(_head("Content-Length: 0x2") + "ok"),
    "empty-length": _refused(_head("Content-Length:") + "ok"),
    "length-2-63": _refused(_head("Content-Length: 9223372036854775808")),
    "length-2-64": _refused(_head("Content-Length: 18446744073709551617")),
    "length-40": _refused(_head("Content-Length: " + "9" * 40)),
    "coding-gzip": _refused(_head("Transfer-Encoding: gzip") + "ok"),
    "coding-twice": _refused(_head("Transfer-Encoding: chunked, chunked")),
    "coding-two-lines": _refused(
        _head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")
    ),
    "coding-not-last": _refused(_head("Transfer-Encoding: chunked, gzip")),
    "coding-parameter": _refused(_head("Transfer-Encoding: chunked;x=y")),
    "coding-empty": _refused(_head("Transfer-Encoding:")),
    "coding-x": _refused(_head("Transfer-Encoding: xchunked")),
    "coding-in-1.0": _refused(
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nok\r\n0\r\n\r\n"
    ),
}

CHUNKS = {
    "chunk-sign": _cut(CHUNKED + "+2\r\nok\r\n0\r\n\r\n"),
    "chunk-0x": _cut(CHUNKED + "0x2\r\nok\r\n0\r\n\r\n"),
    "chunk-underscore": _cut(CHUNKED + "0_2\r\nok\r\n0\r\n\r\n"),
    "chunk-space": _cut(CHUNKED + "2 \r\nok\r\n0\r\n\r\n"),
    "chunk-empty": _cut(CHUNKED + "\r\nok\r\n0\r\n\r\n"),
    "chunk-lf": _cut(CHUNKED + "2\nok\r\n0\r\n\r\n"),
    "chunk-no-crlf": _cut(CHUNKED + "2\r\nokk0\r\n\r\n"),
    "chunk-2-64": _cut(CHUNKED + "10000000000000002\r\nok\r\n0\r\n\r\n"),
    "chunk-40": _cut(CHUNKED + "f" * 40 + "\r\nok\r\n0\r\n\r\n"),
    "chunk-ext-long": _cut(CHUNKED + "2;" + "x" * 70000 + "\r\nok\r\n"),
    "chunk-ext": Response(CHUNKED + "2;a=b\r\nok\r\n0\r\n\r\n", 200, b"ok"),
    "trailer-bomb": _cut(CHUNKED + "0\r\n" + "T: 1\r\n" * 9000 + "\r\n"),
    "trailer-bad": _cut(CHUNKED + "0\r\nContent Length: 1\r\n\r\n"),
    "trailer-framing": Response(
        CHUNKED + "2\r\nok\r\n0\r\nContent-Length: 9\r\nT: 1\r\n\r\n",
        200,
        b"ok",
    ),
}

HEADS = {
    "http-2": _refused("HTTP/2 200 OK\r\n\r\n"),
    "http-2.0": _refused("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "http-0.9": _refused("hello, I am old\r\n\r\n"),
    "icy": _refused("ICY 200 OK\r\n\r\n"),
    "lower-case": _refused("http/1.1 200 OK\r\n\r\n"),
    "status-99": _refused("HTTP/1.1 99 No\r\n\r\n"),
    "status-2000": _refused("HTTP/1.1 2000 No\r\n\r\n"),
    "status-20x": _refused("HTTP/1.1 20x No\r\n\r\n"),
    "status-minus": _refused("HTTP/1.1 -20 No\r\n\r\n"),
    "two-spaces": _refused("HTTP/1.1  200 OK\r\n\r\n"),
    "line-first": _refused("\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
    "nul": _refused(_head("X: a\0b", "Content-Length: 0")),
    "bare-lf": _refused("HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    "bare-cr": _refused(_head("X: a\rY: b", "Content-Length: 0")),
    "folded": _refused(_head("X: a", " b", "Content-Length: 0")),
    "no-colon": _refused(_head("Xa", "Content-Length: 0")),
    "empty-name": _refused(_head(": a", "Content-Length: 0")),
    "space-in-name": _refused(_head("X Y: a", "Content-Length: 0")),
    "redirect": Response(
        "HTTP/1.1 302 Found\r\nLocation: http://public.example/\r\n"
        "Content-Length: 2\r\n\r\nok",
        302,
        b"ok",
    ),
    "space-before-colon": Response(
        _head("Content-Length : 2") + "ok", 200, b"ok"
    ),
}

BOMBS = {
    "one-field": _refused(_head("X: " + "x" * 100000)),
    "many-fields": _refused(_head(*["X: y"] * 20000)),
    "hundred-and-one": _refused(_head(*["X: y"] * 101)),
    "line": _refused("HTTP/1.1 200 " + "O" * 100000 + "\r\n\r\n"),
    "no-end": _refused("x" * 200000),
    "interim": _refused("HTTP/1.1 103 Early\r\n\r\n" * 1000),
    "interim-101": _refused("HTTP/1.1 101 Switching\r\n\r\n"),
}

ENDS = {
    "at-once": _refused("", keep=False),
    "in-head": _refused("HTTP/1.1 200 OK\r\nX: y", keep=False),
    "after-interim": _refused("HTTP/1.1 100 Go\r\n\r\n", keep=False),
    "in-length": _cut(_head("Content-Length: 9") + "ok", keep=False),
    "in-chunk": _cut(CHUNKED + "9\r\nok", keep=False),
    "between-chunks": _cut(CHUNKED + "2\r\nok\r\n", keep=False),
    "before-trailers": _cut(CHUNKED + "2\r\nok\r\n0\r\n", keep=False),
    "until-close": Response(_head("X: y") + "ok", 200, b"ok", keep=False),
    "second-answer": Response(OK + EVIL, 200, b"ok"),
    "idle-answer": Response(OK, 200, b"ok", later=EVIL),
    "idle-bytes": Response(OK, 200, b"ok", later="\r\n"),
    "no-content-body": Response(
        "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil" + EVIL, 204
    ),
    "not-modified-body": Response(
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil" + EVIL,
        304,
    ),
}

GROUPS = {
    "framing": FRAMING,
    "chunks": CHUNKS,
    "heads": HEADS,
    "bombs": BOMBS,
    "ends": ENDS,
}
ALL = {n: r for group in GROUPS.values() for n, r in group.items()}


def say(sock, name):
    """Says it; False when the connection ends with it."""
    response = ALL[name]
    sock.sendall(response.said.encode("latin-1"))
    if response.later:
        time.sleep(0.05)
        sock.sendall(response.later.encode("latin-1"))
    return response.keep
