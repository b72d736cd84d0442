"""The live ways: CONNECT, what is in it, absolute-form and SOCKS5, by one
workload.

Started as root; joins a cgroup, becomes a user, then works through lists of
cases that come as lines on stdin, and answers a line for each list.
"""

import ipaddress
import json
import os
import pwd
import socket
import ssl
import struct
import sys

LIMIT_S = 20
# In the subject of whoever signs for it.
AGENTS_CA = b"inspection CA"


def head_of(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data


def refusal(head):
    """(status, code): the reason phrase is "Denied CODE id=ID"."""
    line = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(line) < 2:
        return 0, None
    code = line[3] if len(line) > 3 and line[2] == "Denied" else None
    return int(line[1]), code


def hello(name):
    """A ClientHello, as OpenSSL writes it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def inside(sock, case):
    """After the way is open: whether the first flight passes."""
    if case["literal"]:
        return None
    sock.sendall(hello(case["sni"]))
    data = sock.recv(5)
    # A fatal alert is the agent's; the server answers with a handshake.
    return "passed" if data[:1] == b"\x16" else "cut"


def http_target(case):
    return f"{case['written']}:{case['port']}".encode("latin-1", "replace")


def connect(proxy, case):
    target = http_target(case)
    with socket.create_connection(proxy, LIMIT_S) as sock:
        sock.sendall(
            b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, target)
        )
        status, code = refusal(head_of(sock))
        found = {"status": status, "code": code}
        if status == 200:
            found["hello"] = inside(sock, case)
    return found


def absolute(proxy, case):
    target = http_target(case)
    method = case.get("method", "GET").encode()
    place = case.get("place", "/").encode()
    with socket.create_connection(proxy, LIMIT_S) as sock:
        sock.sendall(
            b"%s http://%s%s HTTP/1.1\r\nHost: %s\r\n"
            b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            % (method, target, place, target)
        )
        status, code = refusal(head_of(sock))
        return {"status": status, "code": code}


def socks_address(case):
    text = case["written"]
    if case["literal"]:
        data = ipaddress.ip_address(text.strip("[]")).packed
        return bytes([1 if len(data) == 4 else 4]) + data
    data = text.encode("latin-1", "replace")[:255]
    return bytes([3, len(data)]) + data


def socks(proxy, case):
    with socket.create_connection(proxy, LIMIT_S) as sock:
        port = struct.pack("!H", case["port"])
        sock.sendall(b"\x05\x01\x00")
        if sock.recv(2) != b"\x05\x00":
            return {"status": -1}
        sock.sendall(b"\x05\x01\x00" + socks_address(case) + port)
        reply = sock.recv(64)
        found = {"status": reply[1] if len(reply) > 1 else -1}
        if found["status"] == 0:
            found["hello"] = inside(sock, case)
    return found


def inspected(tls):
    """Whether the agent itself is at the other end."""
    return AGENTS_CA in tls.getpeercert(binary_form=True)


def inner(proxy, case):
    """The request within a tunnel; None: the tunnel is not looked into."""
    target = http_target(case)
    with socket.create_connection(proxy, LIMIT_S) as sock:
        sock.sendall(
            b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, target)
        )
        if refusal(head_of(sock))[0] != 200:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            tls = context.wrap_socket(sock, server_hostname=case["host"])
        except OSError:
            return None
        with tls:
            if not inspected(tls):
                return None
            tls.sendall(
                b"%s %s HTTP/1.1\r\nHost: %s\r\n"
                b"Content-Length: 0\r\nConnection: close\r\n\r\n"
                % (
                    case["method"].encode(),
                    case["place"].encode(),
                    case["host"].encode(),
                )
            )
            status, code = refusal(head_of(tls))
    return {"status": status, "code": code}


WAYS = {"connect": connect, "forward": absolute, "socks5": socks}
# Asked beside them where a tunnel could be looked into.
MORE = {"inspect": inner}


def run(proxy, case):
    found = {}
    for name, way in {**WAYS, **MORE}.items():
        if name in MORE and name not in case.get("ways", ()):
            continue
        try:
            answer = way(proxy, case)
            if answer:
                found[name] = answer
        except OSError as e:
            found[name] = {"status": None, "error": f"{type(e).__name__}: {e}"}
    return found


def become(user, cgroup):
    os.makedirs(cgroup, exist_ok=True)
    with open(f"{cgroup}/cgroup.procs", "w") as f:
        f.write(str(os.getpid()))
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def main():
    user, cgroup, host, port = sys.argv[1:]
    become(user, cgroup)
    for line in sys.stdin:
        found = [run((host, int(port)), case) for case in json.loads(line)]
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
