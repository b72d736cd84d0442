"""Requests, the statuses that answer them, and the targets that pass on.

`{A}` stands for the destination's authority. What follows a request that is
refused is never looked at, so AFTER must never pass there.
"""

AFTER = "GET http://{A}/evil HTTP/1.1\r\nHost: {A}\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"


class Case:
    def __init__(self, raw, want, seen=()):
        self.raw = raw
        self.want = want
        self.seen = seen


def get(*fields, line="GET http://{A}/x HTTP/1.1", host="Host: {A}", body=""):
    lines = [line, *([host] if host else []), *fields]
    return "\r\n".join(lines) + "\r\n\r\n" + body


def bad(raw, status=400):
    return Case(raw + AFTER, [status])


def good(raw, seen="/x", status=200):
    return Case(raw, [status], [seen])


def post(*fields, body="", line="POST http://{A}/x HTTP/1.1"):
    return get(*fields, line=line, body=body)


LINES = {
    "authority-form": bad(get(line="GET {A} HTTP/1.1")),
    "origin-form": bad(get(line="GET /x HTTP/1.1")),
    "asterisk": bad(get(line="GET * HTTP/1.1")),
    "options-asterisk": bad(get(line="OPTIONS * HTTP/1.1")),
    "userinfo": bad(get(line="GET http://u:p@{A}/x HTTP/1.1")),
    "empty-userinfo": bad(get(line="GET http://@{A}/x HTTP/1.1")),
    "https": bad(get(line="GET https://{A}/x HTTP/1.1")),
    "ftp": bad(get(line="GET ftp://{A}/x HTTP/1.1")),
    "no-authority": bad(get(line="GET http:///x HTTP/1.1")),
    "one-slash": bad(get(line="GET http:/{A}/x HTTP/1.1")),
    "fragment": bad(get(line="GET http://{A}/x#y HTTP/1.1")),
    "two-spaces": bad(get(line="GET  http://{A}/x HTTP/1.1")),
    "space-at-end": bad(get(line="GET http://{A}/x HTTP/1.1 ")),
    "space-first": bad(get(line=" GET http://{A}/x HTTP/1.1")),
    "tab": bad(get(line="GET\thttp://{A}/x\tHTTP/1.1")),
    "space-in-target": bad(get(line="GET http://{A}/x y HTTP/1.1")),
    "no-version": bad(get(line="GET http://{A}/x")),
    "no-target": bad(get(line="GET HTTP/1.1")),
    "method-colon": bad(get(line="GE:T http://{A}/x HTTP/1.1")),
    "method-slash": bad(get(line="GE/T http://{A}/x HTTP/1.1")),
    "version-lower": bad(get(line="GET http://{A}/x http/1.1")),
    "version-short": bad(get(line="GET http://{A}/x HTTP/1")),
    "version-long": bad(get(line="GET http://{A}/x HTTP/1.10")),
    "version-comma": bad(get(line="GET http://{A}/x HTTP/1,1")),
    "version-other": bad(get(line="GET http://{A}/x ICE/1.0")),
    "version-0.9": bad(get(line="GET http://{A}/x HTTP/0.9")),
    "version-2": bad(get(line="GET http://{A}/x HTTP/2.0"), 505),
    "version-3": bad(get(line="GET http://{A}/x HTTP/3.0"), 505),
    "byte-80": bad(get(line="GET http://{A}/\x80 HTTP/1.1")),
    "byte-00": bad(get(line="GET http://{A}/\0 HTTP/1.1")),
    "byte-7f": bad(get(line="GET http://{A}/\x7f HTTP/1.1")),
    "preface": bad("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
}

FIELDS = {
    "bare-lf-line": bad("GET http://{A}/x HTTP/1.1\nHost: {A}\r\n\r\n"),
    "bare-lf-field": bad(get("X: 1\nY: 2")),
    "bare-lf-end": bad("GET http://{A}/x HTTP/1.1\r\nHost: {A}\r\n\n"),
    "bare-cr-line": bad("GET http://{A}/x HTTP/1.1\rHost: {A}\r\n\r\n"),
    "bare-cr-field": bad(get("X: 1\rY: 2")),
    "cr-cr-lf": bad(get("X: 1\r")),
    "space-before-first": bad(get(host=" Host: {A}")),
    "tab-before-first": bad(get(host="\tHost: {A}")),
    "empty-lines-first": bad("\r\n\r\n" + get()),
    "space-before-colon": bad(get("X : 1")),
    "tab-before-colon": bad(get("X\t: 1")),
    "space-before-length-colon": bad(post("Content-Length : 3", body="abc")),
    "space-before-coding-colon": bad(post(CHUNKED.replace(":", " :"))),
    "folded": bad(get("X: 1", " 2")),
    "folded-tab": bad(get("X: 1", "\t2")),
    "folded-coding": bad(post("Transfer-Encoding:", " chunked")),
    "nul-in-value": bad(get("X: a\0b")),
    "bell-in-value": bad(get("X: a\x07b")),
    "del-in-value": bad(get("X: a\x7fb")),
    "vt-in-value": bad(get("X: a\x0bb")),
    "empty-name": bad(get(": 1")),
    "no-colon": bad(get("nonsense")),
    "space-in-name": bad(get("X Y: 1")),
    "at-in-name": bad(get("X@Y: 1")),
    "bracket-in-name": bad(get("X[Y]: 1")),
    "byte-80-in-name": bad(get("X\x80: 1")),
    "nul-in-name": bad(get("X\0: 1")),
    "quote-in-name": bad(get('X": 1')),
    "ctl-before-coding": bad(post("\x0bTransfer-Encoding: chunked")),
    "ctl-before-chunked": bad(post("Transfer-Encoding: \x0bchunked")),
}

HOST = {
    "another-host": good(get(host="Host: other.example")),
    "absent": bad(get(host="")),
    "twice": bad(get("Host: {A}")),
    "twice-other": bad(get("Host: other.example")),
    "empty": bad(get(host="Host:")),
    "userinfo": bad(get(host="Host: x@{A}")),
    "list": bad(get(host="Host: {A}, other.example")),
    "space": bad(get(host="Host: a b")),
    "path": bad(get(host="Host: {A}/x")),
    "port-letters": bad(get(host="Host: a:b")),
    "bracket": bad(get(host="Host: [::1")),
    "underscore": good(get(host="Host: a_b.example")),
    "sub-delims": good(get(host="Host: a!$&'()*+;=~b:")),
    "literal": good(get(host="Host: [::1]:80")),
    "old-without": good(get(line="GET http://{A}/x HTTP/1.0", host="")),
}

CODINGS = {
    "coding-and-length": bad(post(CHUNKED, "Content-Length: 3")),
    "length-and-coding": bad(post("Content-Length: 3", CHUNKED)),
    "zero-length-and-coding": bad(post("Content-Length: 0", CHUNKED)),
    "identity": bad(post("Transfer-Encoding: identity")),
    "gzip": bad(post("Transfer-Encoding: gzip")),
    "gzip-chunked": bad(post("Transfer-Encoding: gzip, chunked"), 501),
    "not-last": bad(post("Transfer-Encoding: chunked, gzip")),
    "comma-after": bad(post("Transfer-Encoding: chunked,")),
    "comma-before": bad(post("Transfer-Encoding: ,chunked")),
    "comma-only": bad(post("Transfer-Encoding: ,")),
    "empty": bad(post("Transfer-Encoding:")),
    "parameter": bad(post("Transfer-Encoding: chunked;x")),
    "prefix": bad(post("Transfer-Encoding: xchunked")),
    "suffix": bad(post("Transfer-Encoding: chunkedx")),
    "quoted": bad(post('Transfer-Encoding: "chunked"')),
    "twice": bad(post("Transfer-Encoding: chunked, chunked")),
    "two-lines": bad(post(CHUNKED, CHUNKED)),
    "two-lines-identity": bad(post(CHUNKED, "Transfer-Encoding: identity")),
    "identity-chunked": bad(post("Transfer-Encoding: identity, chunked"), 501),
    "underscore": good(
        post("Transfer_Encoding: chunked", "Content-Length: 3", body="abc")
    ),
    "in-1.0": bad(
        post(CHUNKED, line="POST http://{A}/x HTTP/1.0", body="0\r\n\r\n")
    ),
    "in-connection": bad(post(CHUNKED, "Connection: Transfer-Encoding")),
    "on-get": good(get(CHUNKED, body="0\r\n\r\n")),
}

LENGTHS = {
    "plus": bad(post("Content-Length: +3", body="abc")),
    "minus": bad(post("Content-Length: -3", body="abc")),
    "space-in": bad(post("Content-Length: 1 0", body="abc")),
    "hex": bad(post("Content-Length: 0x3", body="abc")),
    "letter": bad(post("Content-Length: 3a", body="abc")),
    "decimal": bad(post("Content-Length: 3.0", body="abc")),
    "underscore": bad(post("Content-Length: 1_0", body="abc")),
    "empty": bad(post("Content-Length:", body="abc")),
    "list-equal": bad(post("Content-Length: 3, 3", body="abc")),
    "list-other": bad(post("Content-Length: 3, 4", body="abc")),
    "two-equal": bad(post("Content-Length: 3", "Content-Length: 3")),
    "two-other": bad(post("Content-Length: 3", "Content-Length: 4")),
    "2-63": bad(post("Content-Length: 9223372036854775808")),
    "2-64": bad(post("Content-Length: 18446744073709551616")),
    "2-64-and-3": bad(post("Content-Length: 18446744073709551619")),
    "40-digits": bad(post("Content-Length: " + "9" * 40)),
    "arabic": bad(post("Content-Length: \xd9\xa3", body="abc")),
    "in-connection": bad(
        post("Content-Length: 3", "Connection: x,content-length", body="abc")
    ),
}


def _chunks(body, *fields):
    return post(CHUNKED, *fields, body=body)


CHUNKS = {
    "sign": bad(_chunks("+3\r\nabc\r\n0\r\n\r\n")),
    "minus": bad(_chunks("-3\r\nabc\r\n0\r\n\r\n")),
    "0x": bad(_chunks("0x3\r\nabc\r\n0\r\n\r\n")),
    "underscore": bad(_chunks("1_0\r\nabc\r\n0\r\n\r\n")),
    "space-before": bad(_chunks(" 3\r\nabc\r\n0\r\n\r\n")),
    "space-after": bad(_chunks("3 \r\nabc\r\n0\r\n\r\n")),
    "empty-line": bad(_chunks("\r\nabc\r\n0\r\n\r\n")),
    "letter": bad(_chunks("3g\r\nabc\r\n0\r\n\r\n")),
    "bare-lf": bad(_chunks("3\nabc\r\n0\r\n\r\n")),
    "bare-cr": bad(_chunks("3\rabc\r\n0\r\n\r\n")),
    "no-crlf-after": bad(_chunks("3\r\nabcX0\r\n\r\n")),
    "too-much-data": bad(_chunks("3\r\nabcd\r\n0\r\n\r\n")),
    "lf-after-data": bad(_chunks("3\r\nabc\n0\r\n\r\n")),
    "overflow": bad(_chunks("10000000000000003\r\nabc\r\n0\r\n\r\n")),
    "40-digits": bad(_chunks("f" * 40 + "\r\nabc\r\n0\r\n\r\n")),
    "extension-cr": bad(_chunks("3;a\rb\r\nabc\r\n0\r\n\r\n")),
    "extension-nul": bad(_chunks("3;a\0\r\nabc\r\n0\r\n\r\n")),
    "extension-long": bad(_chunks("3;" + "a" * 400 + "\r\nabc\r\n0\r\n\r\n")),
    "trailer-no-colon": bad(_chunks("0\r\nevil\r\n\r\n")),
    "trailer-space": bad(_chunks("0\r\nA : 1\r\n\r\n")),
    "trailer-fold": bad(_chunks("0\r\nA: 1\r\n 2\r\n\r\n")),
    "trailer-lf": bad(_chunks("0\r\nA: 1\n\r\n")),
    "trailer-long": bad(_chunks("0\r\n" + "A: 1\r\n" * 2000 + "\r\n")),
    "plain": good(_chunks("3\r\nabc\r\n0\r\n\r\n")),
    "extension": good(_chunks('3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n')),
    "space-before-extension": good(_chunks("3 ;a\r\nabc\r\n0\t;b\r\n\r\n")),
    "upper-case": good(_chunks("A\r\n0123456789\r\n0\r\n\r\n")),
    "zeros": good(_chunks("0003\r\nabc\r\n000\r\n\r\n")),
    "many": good(_chunks("1\r\na\r\n" * 200 + "0\r\n\r\n")),
    "trailer": good(_chunks("0\r\nX-Sum: 1\r\n\r\n")),
    "trailer-of-framing": good(
        _chunks("0\r\nContent-Length: 9\r\nHost: evil\r\n\r\n")
    ),
    "no-transform": good(
        get("Cache-Control: no-transform", CHUNKED, body="0\r\n\r\n")
    ),
}

LIMITS = {
    "long-line": bad(get(line="GET http://{A}/" + "a" * 20000), 414),
    "long-field": bad(get("X: " + "a" * 20000), 431),
    "many-fields": bad(get(*["X: 1"] * 100), 431),
    "most-fields": good(get(*["X: 1"] * 99)),
    "long-both": good(
        get(
            "X: " + "a" * 9000,
            line="GET http://{A}/x?" + "a" * 9000 + " HTTP/1.1",
        ),
        "/x?" + "a" * 9000,
    ),
}

HOPS = {
    "connection-host": bad(get("Connection: host")),
    "connection-length": bad(
        post("Content-Length: 3", "Connection: content-length", body="abc")
    ),
    "connection-authorization": bad(get("Connection: authorization")),
    "connection-via": bad(get("Connection: via")),
    "connection-own": good(get("Connection: x-mine", "X-Mine: 1")),
    "hop-fields": good(
        get(
            "Keep-Alive: 5",
            "TE: trailers",
            "Proxy-Connection: keep-alive",
            "Upgrade: websocket",
            "Proxy-Authorization: Basic eA==",
        )
    ),
    "forwarded": good(
        get(
            "Forwarded: for=a",
            "X-Forwarded-For: 1.2.3.4",
            "X-Forwarded-Host: evil",
            "X-Forwarded-Proto: https",
        )
    ),
    "connection-te": good(get("Connection: TE, close", "TE: trailers")),
    "upgrade-h2c": good(
        get(
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        )
    ),
    "via-before": good(get("Via: 1.1 other")),
    "loop": bad(get("Via: 1.1 wayleave"), 502),
    "loop-in-list": bad(get("Via: 1.1 other, 1.1 wayleave"), 502),
}

FORWARDS = {
    "options-empty-path": good(get(line="OPTIONS http://{A} HTTP/1.1"), "*"),
    "trace": bad(get(line="TRACE http://{A}/x HTTP/1.1"), 403),
    "options-0": Case(
        get("Max-Forwards: 0", line="OPTIONS http://{A}/x HTTP/1.1"), [200]
    ),
    "options-3": good(
        get("Max-Forwards: 3", line="OPTIONS http://{A}/x HTTP/1.1")
    ),
    "options-letters": bad(
        get("Max-Forwards: x", line="OPTIONS http://{A}/x HTTP/1.1")
    ),
}

PATHS = {
    "dot-dot": bad(get(line="GET http://{A}/a/../b HTTP/1.1")),
    "dot": bad(get(line="GET http://{A}/a/./b HTTP/1.1")),
    "encoded-dots": bad(get(line="GET http://{A}/a/%2e%2E/b HTTP/1.1")),
    "encoded-slash": bad(get(line="GET http://{A}/a%2fb HTTP/1.1")),
    "backslash": bad(get(line="GET http://{A}/a\\b HTTP/1.1")),
    "encoded-backslash": bad(get(line="GET http://{A}/a%5Cb HTTP/1.1")),
    "encoded-nul": bad(get(line="GET http://{A}/a%00b HTTP/1.1")),
    "double-encoding": bad(get(line="GET http://{A}/a%252e HTTP/1.1")),
    "broken-escape": bad(get(line="GET http://{A}/a%2 HTTP/1.1")),
    "case-kept": good(
        get(line="GET http://{A}/A%41%c3%a9?q=%2F..&& HTTP/1.1"),
        "/A%41%c3%a9?q=%2F..&&",
    ),
    "empty-segments": good(
        get(line="GET http://{A}//a//b HTTP/1.1"), "//a//b"
    ),
}

ORDER = {
    "pipeline": Case(
        get(line="GET http://{A}/1 HTTP/1.1")
        + post("Content-Length: 3", body="abc")
        + _chunks("3\r\nabc\r\n0\r\n\r\n")
        + get(line="GET http://{A}/4 HTTP/1.1"),
        [200] * 4,
        ["/1", "/x", "/x", "/4"],
    ),
    "pipeline-then-bad": Case(
        get() + "GET / HTTP/1.1\r\n\r\n" + AFTER, [200, 400], ["/x"]
    ),
    "close": Case(get("Connection: close") + AFTER, [200], ["/x"]),
    "close-in-list": Case(
        get("Connection: foo, CLOSE") + AFTER, [200], ["/x"]
    ),
    "old": Case(
        get("Connection: keep-alive", line="GET http://{A}/x HTTP/1.0")
        + AFTER,
        [200],
        ["/x"],
    ),
    "body-as-request": good(
        post(
            "Content-Length: 41",
            body="GET http://inner/ HTTP/1.1\r\nHost: inner\r\n\r\n"[:41],
        )
    ),
    "get-with-body": good(get("Content-Length: 5", body="GET /")),
}

ODD = {
    "empty-line-first": good("\r\n" + get()),
    "scheme-case": good(get(line="GET HTTP://{A}/x HTTP/1.1")),
    "no-path": good(get(line="GET http://{A} HTTP/1.1"), "/"),
    "query-only": good(get(line="GET http://{A}?q HTTP/1.1"), "/?q"),
    "no-space": good(get("X:1")),
    "much-space": good(get("X: \t  1 \t ")),
    "empty-value": good(get("X:", "Y: ")),
    "obs-text": good(get("X: \xe9\xff")),
    "tchars": good(get("!#$%&'*+-.^_`|~0aZ: 1")),
    "same-names": good(get("X: 1", "Y: 2", "X: 3")),
    "own-method": good(get(line="M-SEARCH+1 http://{A}/x HTTP/1.1")),
    "lower-method": good(get(line="get http://{A}/x HTTP/1.1")),
    "head": good(get(line="HEAD http://{A}/x HTTP/1.1")),
    "delete": good(get(line="DELETE http://{A}/x HTTP/1.1")),
    "minor-version": good(get(line="GET http://{A}/x HTTP/1.2")),
    "expect": good(
        post("Expect: 100-continue", "Content-Length: 3", body="abc")
    ),
    "length-zero": good(post("Content-Length: 0")),
    "length-zeros": good(post("Content-Length: 003", body="abc")),
    "coding-case": good(post("TRANSFER-ENCODING:\tChunked", body="0\r\n\r\n")),
    "unwise-bytes": good(
        get(line='GET http://{A}/x?a="{}|^`<>[]~ HTTP/1.1'),
        '/x?a="{}|^`<>[]~',
    ),
    "cookie": good(get("Cookie: a=b; c=d", "Authorization: Bearer x")),
    "range": good(get("Range: bytes=0-0", "If-None-Match: *")),
}

GROUPS = {
    "lines": LINES,
    "fields": FIELDS,
    "host": HOST,
    "codings": CODINGS,
    "lengths": LENGTHS,
    "chunks": CHUNKS,
    "limits": LIMITS,
    "hops": HOPS,
    "forwards": FORWARDS,
    "paths": PATHS,
    "order": ORDER,
    "odd": ODD,
}

# What a gateway answers otherwise: the target's form and the Host are its
# own, and so is the credential.
GATEWAY = {
    ("lines", "origin-form"): good(get(line="GET /x HTTP/1.1")),
    ("host", "another-host"): bad(HOST["another-host"].raw),
    ("host", "underscore"): bad(HOST["underscore"].raw),
    ("host", "sub-delims"): bad(HOST["sub-delims"].raw),
    ("host", "literal"): bad(HOST["literal"].raw),
    ("host", "old-without"): bad(HOST["old-without"].raw),
    ("forwards", "options-empty-path"): bad(get(line="OPTIONS * HTTP/1.1")),
    ("hops", "connection-authorization"): bad(
        get("Connection: authorization"), 403
    ),
    ("order", "pipeline-then-bad"): Case(
        get() + "GET x HTTP/1.1\r\n\r\n" + AFTER, [200, 400], ["/x"]
    ),
    ("paths", "encoded-slash"): good(
        get(line="GET /a%2fb HTTP/1.1"), "/a%2fb"
    ),
    ("odd", "scheme-case"): bad(ODD["scheme-case"].raw),
    ("odd", "no-path"): bad(ODD["no-path"].raw),
    ("odd", "query-only"): bad(get(line="GET ?q HTTP/1.1")),
    ("odd", "cookie"): bad(ODD["cookie"].raw, 403),
}
