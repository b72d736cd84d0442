"""CONNECT to what hostile clients write, each with its answer.

authorities.py PROXY  reads {row: [text, ...]} on stdin, prints
{row: [[status, code], ...]}
"""

import json
import re
import socket
import sys

# In what the rows below say, KV is a host that a rule names.
KV = "kv1.vault.azure.net"
BLOB = "blob.core.windows.net"
BAD = [(400, "BAD_REQUEST"), (400, "BAD_AUTHORITY"), (400, "BAD_HOST")]
HOST = [(403, "HOST_NOT_ALLOWED")]
CLASS = [(403, "RESERVED_ADDRESS")]
LITERAL = [(403, "IP_LITERAL")]


def each(*texts):
    return list(texts)


# The rows of the reference's table of hostile inputs, by number.
ROWS = {
    1: (each(f"{KV}:443"), [(200, None)]),
    2: (each("KV1.Vault.AZURE.net:443"), [(200, None)]),
    3: (each(f"{KV}.:443"), [(200, None)]),
    4: (each(f"{KV}..:443"), BAD),
    5: (each(f".{KV}:443"), BAD),
    6: (each("kv1..vault.azure.net:443"), BAD),
    7: (each(f"[{KV}]:443"), BAD),
    8: (each("[[::1]]:443"), BAD),
    9: (each(KV), BAD),
    10: (each(f"{KV}:"), BAD),
    11: (each(":443"), BAD),
    12: (
        [
            f"{KV}:{p}"
            for p in ("0", "65536", "-1", "+443", "4 43", "https", "443x")
        ],
        BAD,
    ),
    13: (each(f"{KV}:0443"), BAD),
    14: (each(f"{KV}:443:80"), BAD),
    15: (each(f"{KV}:8443"), [(403, "PORT_NOT_ALLOWED")]),
    16: (each(f"user:pw@{KV}:443"), BAD),
    17: (each(f"{KV}@evil.example:443"), BAD),
    18: (each(f"evil.example#.{BLOB}:443"), BAD),
    19: (each(f"evil.example%23.{BLOB}:443"), BAD),
    20: (each(f"evil.example?.{BLOB}:443"), BAD),
    21: (each(f"evil.example/.{BLOB}:443"), BAD),
    22: (each(f"evil.example\\.{BLOB}:443"), BAD),
    23: (each(f"evil.example%00.{BLOB}:443"), BAD),
    24: (each(f"evil.example\0.{BLOB}:443"), BAD),
    25: (each("kv1%2evault.azure.net:443"), BAD),
    26: (
        [f"kv1{c}.vault.azure.net:443" for c in "\r\n\t\x0b\x7f\x80\xff"],
        BAD,
    ),
    27: (each(f" {KV}:443", f"{KV}:443 ", f"{KV} :443"), BAD),
    28: (
        each(
            "a" * 64 + ".vault.azure.net:443",
            ".".join(["a" * 49] * 5) + ".abcd:443",
        ),
        BAD,
    ),
    29: (each("-kv1.vault.azure.net:443", "kv1-.vault.azure.net:443"), BAD),
    30: (each(f"acct_1.{BLOB}:443"), BAD + HOST),
    31: (each("kv1.v\u0430ult.azure.net:443"), BAD),
    32: (each("kv1.xn--vult-53d.azure.net:443"), HOST),
    33: (
        each(
            "\uff4b\uff56\uff11\uff0e\uff56\uff41\uff55\uff4c\uff54\uff0e"
            "\uff41\uff5a\uff55\uff52\uff45\uff0e\uff4e\uff45\uff54:443"
        ),
        BAD,
    ),
    34: (each("kv1\u3002vault\u3002azure\u3002net:443"), BAD),
    35: (each("kv\u00ad1.vault.azure.net:443", f"kv\u200d1.{BLOB}:443"), BAD),
    36: (each(f"{KV}.evil.example:443"), HOST),
    37: (each(f"evil{BLOB}:443"), HOST),
    38: (each(f"{BLOB}:443"), HOST),
    39: (each(f"a.acct1.{BLOB}:443"), HOST),
    40: (each(f"*.{BLOB}:443"), BAD),
    41: (
        each("kv1.privatelink.vaultcore.azure.net:443"),
        [(403, "PRIVATELINK_NAME")],
    ),
    42: (
        each("localhost:443", "LOCALHOST.:443", "x.localhost:443")
        + ["ip6-localhost:443"],
        HOST,
    ),
    43: (each("vm:443", "wpad:443", "metadata:443"), HOST),
    44: (
        each("metadata.google.internal:443", "host.docker.internal:443")
        + ["kubernetes.default.svc:443"],
        HOST,
    ),
    45: (each("169.254.169.254:80"), CLASS + [(403, "METADATA_PROXIED")]),
    46: (
        each("2852039166:80", "0xa9fea9fe:80", "0251.0376.0251.0376:80")
        + ["169.254.43518:80", "169.0376.0xa9.254:80"],
        BAD,
    ),
    47: (each("169.254.169.254.:80"), BAD),
    48: (
        each("[::ffff:169.254.169.254]:80", "[::ffff:a9fe:a9fe]:80"),
        CLASS + [(403, "METADATA_PROXIED")],
    ),
    49: (each("[::169.254.169.254]:80"), CLASS),
    50: (each("[::ffff:0:169.254.169.254]:80"), CLASS + LITERAL),
    51: (each("[64:ff9b::a9fe:a9fe]:80"), CLASS),
    52: (each("[64:ff9b:1::a9fe:a9fe]:80"), CLASS),
    53: (each("[64:ff9b::808:808]:443"), CLASS),
    54: (each("[2002:a9fe:a9fe::]:80"), CLASS),
    55: (each("[2001:0:4136:e378:8000:63bf:3fff:fdd2]:443"), CLASS),
    56: (each("[fe80::5efe:169.254.169.254]:443"), CLASS),
    57: (each("[fe80::1%25eth0]:443", "[fe80::1%eth0]:443"), BAD),
    58: (each("[fd00:ec2::254]:80", "[fd20:ce::254]:80"), CLASS + LITERAL),
    59: (
        each("168.63.129.16:80", "168.63.129.16:32526", "168.63.129.16:53"),
        CLASS,
    ),
    60: (
        each("127.0.0.1:3180", "10.20.0.250:3180", "[::1]:3180"),
        CLASS + [(403, "SELF")] + LITERAL,
    ),
    61: (
        each("127.1:443", "0177.0.0.1:443", "0x7f.1:443", "0:443")
        + ["127.000.000.001:443"],
        BAD,
    ),
    62: (each("0.0.0.0:443", "[::]:443"), CLASS),
    63: (each("10.20.0.5:443"), LITERAL),
    64: (
        each("255.255.255.255:443", "224.0.0.251:443", "[ff02::1]:443"),
        CLASS,
    ),
    65: (
        [
            f"{a}:443"
            for a in (
                *("192.0.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
                *("100.64.0.1", "198.51.100.1", "203.0.113.1"),
            )
        ],
        CLASS + LITERAL,
    ),
    66: (
        [
            f"[{a}]:443"
            for a in ("2001:db8::1", "3fff::1", "100::1", "5f00::1", "fec0::1")
        ],
        CLASS + LITERAL,
    ),
    67: (each("\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:443"), BAD),
    68: (each("127.0.0.1.nip.io:443"), HOST),
}


def ask(proxy, text):
    with socket.create_connection(proxy, 10) as sock:
        sock.sendall(
            b"CONNECT "
            + text.encode("utf-8")
            + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        got = sock.recv(4096)
    # RFC 9110 9.3.6: nothing that frames a body stands in it.
    if got == b"HTTP/1.1 200 Connection established\r\n\r\n":
        return [200, None]
    found = re.match(rb"HTTP/1\.1 (\d+) Denied ([A-Z_]+) id=", got)
    return [int(found[1]), found[2].decode()] if found else [0, repr(got)]


def main(proxy):
    host, _, port = proxy.rpartition(":")
    asked = json.load(sys.stdin)
    answers = {
        row: [ask((host, int(port)), t) for t in texts]
        for row, texts in asked.items()
    }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
