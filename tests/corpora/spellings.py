"""Ways to write an address that no rule can allow; none may be reached.

spellings.py PROXY  prints {"asked": N, "reached": [...], "odd": [...]}
"""

import ipaddress
import json
import re
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor

# One of each class that the agent never reaches, and this machine itself.
V4 = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "169.254.169.254",
    "169.254.0.1",
    "168.63.129.16",
    "10.20.0.5",
    "10.20.0.250",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.251",
    "240.0.0.1",
    "255.255.255.255",
]
V6 = [
    "::",
    "::1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
]
NAMES = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "x.localhost",
    "ip6-localhost",
    "localhost.localdomain",
    "metadata",
    "metadata.google.internal",
    "wpad",
    "vm",
    "host.docker.internal",
    "kubernetes.default.svc",
    "instance-data",
    "127.0.0.1.nip.io",
    "169-254-169-254.nip.io",
]
WIDE = {ord(c): 0xFF01 + i for i, c in enumerate(map(chr, range(33, 127)))}
CIRCLED = {
    **{ord(str(i)): 0x2460 + i - 1 for i in range(1, 10)},
    ord("0"): 0x24EA,
}


def numbers(address):
    """The parts of an IPv4 address in the bases that inet_aton(3) reads."""
    a, b, c, d = address.split(".")
    whole = int(ipaddress.IPv4Address(address))
    yield from (str(whole), hex(whole), f"0{whole:o}", str(whole + 2**32))
    yield f"{a}.{int(b) << 16 | int(c) << 8 | int(d)}"
    yield f"{a}.{b}.{int(c) << 8 | int(d)}"
    for write in (
        hex,
        lambda n: f"0x{n:08x}",
        lambda n: f"0X{n:X}",
        lambda n: f"0{n:o}",
        lambda n: f"0000{n:o}",
        lambda n: f"{n:03}",
        lambda n: f"{n + 256}",
        lambda n: f"+{n}",
        lambda n: f" {n}",
    ):
        yield ".".join(write(int(p)) for p in (a, b, c, d))
        yield f"{write(int(a))}.{b}.{c}.{d}"
        yield f"{a}.{b}.{c}.{write(int(d))}"


def letters(address):
    """The same text in bytes that some decode and others do not."""
    yield address
    yield address + "."
    yield address + ".."
    yield "." + address
    yield f"[{address}]"
    yield "".join(f"%{ord(c):02x}" for c in address)
    yield address.replace(".", "%2e")
    yield address.translate(WIDE)
    yield address.translate(CIRCLED)
    for dot in ("\u3002", "\uff0e", "\uff61", ",", "\u2024"):
        yield address.replace(".", dot)
    for more in ("%00", "%20", "#", "?", "/", "\\", "%23", "@", "\t", "\0"):
        yield address + more
        yield f"{address}{more}acct1.blob.core.windows.net"
        yield f"acct1.blob.core.windows.net{more}{address}"


def embedded(address):
    """IPv6 addresses that carry an IPv4 one."""
    n = int(ipaddress.IPv4Address(address))
    high, low = n >> 16, n & 0xFFFF
    for prefix in ("::", "::ffff:", "::ffff:0:", "64:ff9b::", "64:ff9b:1::"):
        yield f"[{prefix}{address}]"
        yield f"[{prefix}{high:x}:{low:x}]"
    yield f"[0:0:0:0:0:ffff:{address}]"
    yield f"[0000:0000:0000:0000:0000:FFFF:{high:X}:{low:X}]"
    yield f"[2002:{high:x}:{low:x}::]"
    yield f"[fe80::5efe:{address}]"
    yield f"::ffff:{address}"


def authorities():
    found = []
    for address in V4:
        found += [*numbers(address), *letters(address), *embedded(address)]
    for address in V6:
        full = ipaddress.IPv6Address(address).exploded
        forms = [address, full, address.upper(), address + "%25lo"]
        forms += [address + "%lo", address + "%1", f"{address}/64"]
        found += [f"[{f}]" for f in forms] + [address, f"[[{address}]]"]
    found += [*NAMES, *(n + ":80:80" for n in NAMES)]
    return list(dict.fromkeys(found))


def ask(proxy, how, authority):
    """The first bytes that come back."""
    host = authority.encode()
    with socket.create_connection(proxy, 10) as sock:
        if how == "connect":
            line = b"CONNECT " + host + b":80 HTTP/1.1\r\nHost: x\r\n\r\n"
        elif how == "get":
            line = b"GET http://" + host + b"/ HTTP/1.1\r\nHost: x\r\n\r\n"
        else:
            name = host.strip(b"[]")[:255]
            line = b"\5\1\0" + b"\5\1\0\3" + bytes([len(name)]) + name
            line += struct.pack(">H", 80)
        sock.sendall(line)
        sock.shutdown(socket.SHUT_WR)
        got = b""
        while piece := sock.recv(4096):
            got += piece
    return got


def verdict(how, got):
    if how == "socks5":
        if got[:2] == b"\5\0" and len(got) > 3:
            return "reached" if got[3] == 0 else "refused"
        return "refused" if got in (b"", b"\5\0") else "odd"
    status = re.match(rb"HTTP/1\.1 (\d{3}) Denied [A-Z_]+ id=", got)
    if not status:
        return "reached" if b" 200 " in got[:20] else "odd"
    return "refused" if status[1] in (b"400", b"403", b"502") else "odd"


def main(proxy):
    host, _, port = proxy.rpartition(":")
    asked = [
        (how, a) for a in authorities() for how in ("connect", "get", "socks5")
    ]
    found = {"asked": len(authorities()), "reached": [], "odd": []}

    def one(question):
        got = ask((host, int(port)), *question)
        return verdict(question[0], got), question, got[:60]

    with ThreadPoolExecutor(8) as pool:
        for how, question, got in pool.map(one, asked):
            if how != "refused":
                found[how].append([*question, got.decode("latin-1")])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
