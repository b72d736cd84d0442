"""Authorities that must lead nowhere: addresses in every known disguise.

`authorities()` gives bytes, each with the address that it means to reach.
"""

import ipaddress

# What nobody may reach through the agent, and private space besides.
TARGETS = [
    *("127.0.0.1", "127.83.1.9", "0.0.0.0", "169.254.169.254"),
    *("168.63.129.16", "100.100.100.200", "224.0.0.251", "192.0.0.170"),
    *("198.18.4.1", "255.255.255.255", "10.0.0.1", "192.168.7.1"),
    *("172.16.3.4", "100.64.0.9"),
]
TARGETS_V6 = [
    *("::1", "::", "fe80::1", "fe80::a9fe:a9fe", "ff02::1", "fd00:ec2::254"),
    *("fec0::1", "2001:db8::1", "100::1", "fc00::1", "2001:10::1"),
    *("3fff::1", "5f00::1", "2001:2::1", "fd20:ce::254"),
]
NAMES = [
    *("localhost", "LocalHost", "localhost.", "localhost.localdomain"),
    *("ip6-localhost", "loopback", "metadata", "metadata.google.internal"),
    *("instance-data", "127.0.0.1.nip.example", "app-10-0-0-1.nip.example"),
    *("169-254-169-254.nip.example", "a9fea9fe.nip.example"),
    *("metadata.azure.internal", "host.docker.internal", "0", "0x0", "00"),
    *("1", "127", "0x7f", "017700000001", "kubernetes.default.svc"),
]
ALLOWED = "pub.spell.example"


def fullwidth(text):
    return "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in text)


def circled(text):
    wheel = "\u24ea" + "".join(chr(0x2460 + i) for i in range(9))
    return "".join(wheel[int(c)] if c.isdigit() else c for c in text)


def mathematical(text, zero):
    return "".join(chr(zero + int(c)) if c.isdigit() else c for c in text)


def quoted(text, which=lambda c: True):
    return "".join(f"%{ord(c):02x}" if which(c) else c for c in text)


def numbers(address):
    """inet_aton's ways of writing it, and those beyond its range."""
    a, b, c, d = (int(x) for x in address.split("."))
    whole = int(ipaddress.ip_address(address))
    yield from (str(whole), hex(whole), f"0X{whole:X}", f"0{whole:o}")
    yield from (f"00{whole:o}", f"0x{whole:016x}", str(whole + 2**32))
    yield from (f"{whole:010d}", hex(whole + 2**32), f"-{2**32 - whole}")
    yield from (f"{a}.{whole & 0xFFFFFF}", f"{a}.{b}.{whole & 0xFFFF}")
    yield from (f"{a:#x}.{whole & 0xFFFFFF}", f"0{a:o}.{b}.{whole & 0xFFFF}")
    parts = (a, b, c, d)
    yield ".".join(f"0x{x:x}" for x in parts)
    yield ".".join(f"0X{x:02X}" for x in parts)
    yield ".".join(f"0{x:o}" for x in parts)
    yield ".".join(f"{x:04o}" for x in parts)
    yield ".".join(f"{x:03d}" for x in parts)
    yield ".".join(f"{x:09d}" for x in parts)
    yield ".".join(str(x + 256) for x in parts)
    yield f"0x{a:x}.{b}.0{c:o}.{d}"
    yield f"{a}.{b}.{c}.0x{d:x}"
    yield f"{a}.{b}.{c}.0{d:o}"
    yield f"{a}.{b}.{c}.{d}."
    yield f"{a}.{b}.{c}.{d}.."
    yield f".{a}.{b}.{c}.{d}"
    yield f"{a}..{b}.{c}.{d}"
    yield f"{a}.{b}.{c}.{d}.0"
    yield f"{a}.{b}.{c}.{d}e0"
    yield f"+{a}.{b}.{c}.{d}"
    yield f"{a}. {b}.{c}.{d}"
    yield f"{a},{b},{c},{d}"
    yield f"{a}-{b}-{c}-{d}.nip.example"
    yield f"{address}.nip.example"
    yield f"www.{address}.nip.example"


def letters(address):
    """Digits and dots that another normaliser would take for them."""
    yield from (fullwidth(address), circled(address))
    yield from (mathematical(address, z) for z in (0x1D7CE, 0x1D7E2, 0x1D7F6))
    yield mathematical(address, 0x660)  # Arabic-Indic
    yield mathematical(address, 0x966)  # Devanagari
    for dot in ("\u3002", "\uff0e", "\uff61", "\u2024"):
        yield address.replace(".", dot)
        yield fullwidth(address).replace(".", dot)
    yield address[0] + "\u00ad" + address[1:]
    yield address[0] + "\u200b" + address[1:]
    yield address + "\u2060"
    yield f"xn--{address}"
    yield f"xn--{address.replace('.', '-')}-"
    yield quoted(address)
    yield quoted(address, lambda c: c == ".")
    yield quoted(address, str.isdigit)
    yield quoted(quoted(address).replace("%", "%25"), lambda c: False)
    yield address.replace(".", "%2E", 1)
    yield address.replace(".", "%252e")


def embedded(address):
    """IPv6 that holds it: mapped, compatible, translated, tunnelled."""
    whole = int(ipaddress.ip_address(address))
    high, low = whole >> 16, whole & 0xFFFF
    flipped = whole ^ 0xFFFFFFFF
    tail = f"{high:x}:{low:x}"
    for v6 in (
        *(f"::ffff:{address}", f"::ffff:{tail}", f"0:0:0:0:0:ffff:{tail}"),
        *(f"0000:0000:0000:0000:0000:FFFF:{tail}", f"::FFFF:{address}"),
        *(f"::{address}", f"::{tail}", f"::ffff:0:{address}"),
        *(f"::ffff:0:{tail}", f"64:ff9b::{address}", f"64:ff9b::{tail}"),
        *(f"64:ff9b:1::{tail}", f"64:FF9B:0:0:0:0:{tail}"),
        *(f"2002:{tail}::", f"2002:{tail}::1", f"2002:{tail}:0:1::{tail}"),
        f"2001:0:0:0:0:0:{flipped >> 16:x}:{flipped & 0xFFFF:x}",
        f"2001:0:{tail}:0:0:{flipped >> 16:x}:{flipped & 0xFFFF:x}",
        *(f"fe80::5efe:{tail}", f"2a01:4f8::5efe:{tail}"),
        *(f"2a01:4f8::200:5efe:{tail}", f"::ffff:{address}%lo"),
        *(f"::ffff:{address}%25lo", f"::ffff:{address}%1"),
    ):
        yield f"[{v6}]"
    yield f"::ffff:{address}"
    yield f"[{address}]"
    yield f"[::ffff:{numbers_octal(address)}]"
    yield f"[v1.{address}]"


def numbers_octal(address):
    return ".".join(f"0{int(x):o}" for x in address.split("."))


def around(address):
    """User names, paths, ports and controls beside it."""
    yield from (f"{ALLOWED}@{address}", f"a:b@{address}", f"@{address}")
    yield from (f"{address}@{ALLOWED}", f"{address}:80@{ALLOWED}:80")
    yield from (f"{address}:80#@{ALLOWED}", f"{address}:80?@{ALLOWED}")
    yield from (f"{address}:80/@{ALLOWED}", f"{ALLOWED}#@{address}")
    yield from (f"{ALLOWED}\\@{address}", f"{address}\\@{ALLOWED}")
    yield from (f"{ALLOWED}%40{address}", f"{ALLOWED}%2f@{address}")
    yield from (f"{ALLOWED}:80@{address}", f"{ALLOWED};{address}")
    yield from (f"{ALLOWED},{address}", f"{address},{ALLOWED}")
    yield from (f"{address}:080", f"{address}:+80", f"{address}:65616")
    yield from (f"{address}:0", f"{address}:", f"{address}::80")
    yield from (f"{address}:80:443", f"{address}:0x50", f"{address}:8\u0660")
    yield from (f"{address}%00", f"{address}%00.{ALLOWED}")
    yield from (f"{address}\t", f"\t{address}", f" {address}")
    yield from (f"{address}\0", f"{address}\0.{ALLOWED}")
    yield from (f"{ALLOWED}\0{address}", f"{address}\x0b", f"{address}\x7f")
    yield from (f"{address}\r", f"{address}\xa0", f"//{address}")
    yield from (f"http://{address}", f"{address}/..", f"{address}&{ALLOWED}")


def of_v6(address):
    whole = ipaddress.ip_address(address)
    for text in (
        *(address, whole.exploded, address.upper()),
        *(f"{address}%lo", f"{address}%25lo", f"{address}%250"),
    ):
        yield f"[{text}]"
        yield text
        yield f"[{text}]:80"
    yield f"[{address}"
    yield f"{address}]"
    yield f"[[{address}]]"
    yield f"[{address}]."
    yield f"[{address}].{ALLOWED}"
    yield f"{ALLOWED}@[{address}]"
    yield f"[{address}]@{ALLOWED}"
    yield f"[{address}]:80@{ALLOWED}"
    yield f"[ {address}]"
    yield f"[{address}]:080"
    yield f"[{address}\0]"
    yield quoted(f"[{address}]")


def of_name(name):
    yield from (name, name.upper(), f"{name}.", f"{name}:80")
    yield from (f"{name}..", f"{ALLOWED}@{name}", f"{name}\0.{ALLOWED}")
    yield from (quoted(name), name.replace("o", "\u24de"))
    yield "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)
    yield name[0] + "\u00ad" + name[1:]


def authorities():
    """Each once, as bytes."""
    seen = {}
    for address in TARGETS:
        seen[address] = None
        for kind in (numbers, letters, embedded, around):
            seen.update(dict.fromkeys(kind(address)))
    for address in TARGETS_V6:
        seen.update(dict.fromkeys(of_v6(address)))
    for name in NAMES:
        seen.update(dict.fromkeys(of_name(name)))
    return [text.encode("utf-8") for text in seen]
