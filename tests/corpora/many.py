"""Opens and ends connections of every kind, one after another.

many.py PROXY COUNT ALLOWED DENIED (hosts of the policy)
"""

import socket
import struct
import sys


def kinds(allowed, denied):
    yield b""
    yield b"CONN"
    yield b"\5\1"
    yield b"\x16\3\1"
    yield b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    for host in (allowed, denied):
        name = host.encode()
        yield b"CONNECT " + name + b":443 HTTP/1.1\r\nHost: x\r\n\r\n"
        yield b"GET http://" + name + b"/ HTTP/1.1\r\nHost: x\r\n\r\n"
        yield (
            b"\5\1\0\5\1\0\3"
            + bytes([len(name)])
            + name
            + struct.pack(">H", 443)
        )


def main(proxy, count, allowed, denied):
    host, _, port = proxy.rpartition(":")
    said = list(kinds(allowed, denied))
    for i in range(int(count)):
        with socket.create_connection((host, int(port)), 10) as sock:
            words = said[i % len(said)]
            if i % 3 == 0:
                # An end by a reset, as soon as it was said.
                sock.setsockopt(
                    socket.SOL_SOCKET,
                    socket.SO_LINGER,
                    struct.pack("ii", 1, 0),
                )
            sock.sendall(words)
            if i % 3 == 1 and len(words) > 10:
                sock.recv(4096)


if __name__ == "__main__":
    main(*sys.argv[1:])
