"""A client that says exactly what it saw; run inside the lab as some user.

Reads a JSON list of requests on stdin: {"host", "port", "sni", "get",
"head" (sent instead of the CONNECT), "raw" (sent instead of TLS), "socks",
"proxy" ([address, port] or a Unix socket's path), "ca"}. Prints one JSON answer a line.
"""

import json
import socket
import ssl
import struct
import sys
import time

LIMIT_S = 20


def read_head(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(1)
        if not piece:
            break
        data += piece
    return data


def read_answer(sock):
    """Status line, fields and body of one HTTP answer."""
    head = read_head(sock).decode("latin-1")
    lines = head.split("\r\n")
    words = lines[0].split(" ", 2)
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name:
            fields[name.lower()] = value.strip()
    answer = {
        "status": int(words[1]) if len(words) > 1 else None,
        "reason": words[2] if len(words) > 2 else "",
        "fields": fields,
    }
    left = int(fields.get("content-length", 0))
    body = b""
    while len(body) < left:
        piece = sock.recv(left - len(body))
        if not piece:
            break
        body += piece
    answer["body"] = body.decode("utf-8", "replace")
    return answer


def socks(sock, request):
    """SOCKS5 with a name; the reply code, 0 when the way is open."""
    sock.sendall(b"\x05\x01\x00")
    if sock.recv(2) != b"\x05\x00":
        return {"socks": -1}
    host = request["host"].encode()
    port = struct.pack("!H", request.get("port", 443))
    sock.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + port)
    reply = sock.recv(10)
    return {"socks": reply[1] if len(reply) > 1 else -1}


def inside(sock, request, answer):
    """After the way is open: TLS, and a GET if asked for."""
    if "raw" in request:
        sock.sendall(request["raw"].encode("latin-1"))
        answer["after"] = sock.recv(4096).decode("latin-1")
        return
    context = ssl.create_default_context(cafile=request.get("ca"))
    sni = request.get("sni", request["host"])
    if sni != request["host"] or sni is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        with context.wrap_socket(sock, server_hostname=sni) as tls:
            answer["tls"] = tls.version()
            if "get" in request:
                text = (
                    f"GET {request['get']} HTTP/1.1\r\n"
                    f"Host: {request['host']}\r\nConnection: close\r\n\r\n"
                )
                tls.sendall(text.encode())
                answer["http"] = read_answer(tls)
    except (OSError, ssl.SSLError) as e:
        answer["tls_error"] = str(e)


def connect(proxy):
    if not isinstance(proxy, str):
        return socket.create_connection(tuple(proxy), LIMIT_S)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(LIMIT_S)
    sock.connect(proxy)
    return sock


def probe(request):
    start = time.monotonic()
    answer = {}
    try:
        with connect(request.get("proxy", ("127.0.0.1", 3180))) as sock:
            if request.get("socks"):
                answer = socks(sock, request)
                opened = answer["socks"] == 0
            else:
                target = f"{request['host']}:{request.get('port', 443)}"
                head = request.get("head") or (
                    f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"
                )
                sock.sendall(head.encode("latin-1"))
                answer = read_answer(sock)
                opened = answer["status"] == 200 and not request.get("head")
            if opened:
                inside(sock, request, answer)
    except OSError as e:
        answer["error"] = f"{type(e).__name__}: {e}"
    answer["s"] = round(time.monotonic() - start, 3)
    return answer


def main():
    for request in json.load(sys.stdin):
        print(json.dumps(probe(request)), flush=True)


if __name__ == "__main__":
    main()
