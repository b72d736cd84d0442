"""Sends every spelling through a daemon in a world where all addresses are
here: whatever is dialled is seen, and nothing else can answer.

Run as root inside the lab, in a network namespace of its own:
unshare -n python -m lab.spelled enforce|report
"""

import asyncio
import collections
import ipaddress
import json
import re
import socket
import subprocess
import sys

from . import dns
from .differ import agent as machine
from .spellings import authorities

PORTS = (80, 443, 22, 8080)
PRIVATE, PUBLIC, LITERAL = "10.20.7.1", "52.239.1.2", "10.20.7.9"
CONTROLS = {
    "priv.spell.example": PRIVATE,
    "pub.spell.example": PUBLIC,
    LITERAL: LITERAL,
}
# The most that a policy can allow: in report mode every name passes, and
# only what no route ever reaches is left to refuse.
POLICY = {
    "version": 1,
    "endpoints": ["10.20.7.0/24"],
    "rules": [
        {
            "id": "priv",
            "effect": "allow",
            "hosts": ["priv.spell.example"],
            "route": "private-address",
            "ports": [80, 443],
        },
        {
            "id": "pub",
            "effect": "allow",
            "hosts": ["pub.spell.example"],
            "route": "public",
            "reason": "a control",
            "ports": [80, 443],
        },
        {
            "id": "literal",
            "effect": "allow",
            "addresses": [LITERAL],
            "ports": [80, 443],
        },
    ],
}
AT_ONCE = 16
LIMIT_S = 8
# RFC 6890 and the platforms' own, as a second opinion on the agent's table.
SPECIAL = [
    ipaddress.ip_network(n)
    for n in (
        *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24"),
        *("192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/3", "192.88.99.0/24"),
        *("168.63.129.16/32", "100.100.100.200/32", "::/3", "fe00::/7"),
        *("100::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
        *("3fff::/20", "5f00::/16", "fd00:ec2::254/128"),
        "fd20:ce::254/128",
    )
]


def is_special(text):
    address = ipaddress.ip_address(text.split("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped:
        return is_special(str(mapped))
    return any(address in n for n in SPECIAL if n.version == address.version)


def aton(name):
    """What a careless resolver would read into a name."""
    found = re.search(r"(\d+)[.-](\d+)[.-](\d+)[.-](\d+)", name)
    if found and all(int(x) < 256 for x in found.groups()):
        return ".".join(str(int(x)) for x in found.groups())
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except (OSError, UnicodeEncodeError):
        return None


class Careless(dns.Zone):
    """Answers every name, and with the worst that it could mean."""

    def walk(self, name):
        name = name.lower()
        if name in CONTROLS:
            return [(name, {"a": [CONTROLS[name]]})]
        address = aton(name)
        if address:
            return [(name, {"a": [address]})]
        worst = (["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", PUBLIC])
        entry = {"a": worst[len(name) % 3]}
        if len(name) % 2:
            entry["aaaa"] = ["::1"]
        return [(name, entry)]


class Canary:
    """Listens on every address, and notes which was called."""

    def __init__(self):
        self.reached = collections.Counter()

    async def start(self):
        for port in PORTS:
            for host, family in (
                ("0.0.0.0", socket.AF_INET),
                ("::", socket.AF_INET6),
            ):
                await asyncio.start_server(
                    self.met, host, port, family=family, backlog=512
                )

    async def met(self, reader, writer):
        self.reached[writer.get_extra_info("sockname")[0]] += 1
        try:
            data = await asyncio.wait_for(reader.read(4096), 3)
            if data[:3] == b"GET":
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n"
                    b"Connection: close\r\n\r\nCANARY"
                )
                await writer.drain()
        except (OSError, TimeoutError):
            pass
        writer.close()


def with_port(authority):
    """CONNECT needs a port: where there is none, and where one may be."""
    if re.search(rb"(^\[.*\]|^[^:]*):[0-9]+$", authority):
        return authority
    return authority + b":443"


def heads(how, authority):
    if how == "connect":
        target = with_port(authority)
        return [b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, target)]
    if how == "forward":
        return [
            b"GET http://%s/ HTTP/1.1\r\nHost: %s\r\n"
            b"Connection: close\r\n\r\n" % (authority, host)
            for host in (authority, b"pub.spell.example")
        ]
    host = re.sub(rb":80$", b"", authority)[:255]
    asked = [b"\x03" + bytes([len(host)]) + host]
    try:
        address = ipaddress.ip_address(host.decode().strip("[]"))
        kind = b"\x01" if address.version == 4 else b"\x04"
        asked.append(kind + address.packed)
    except ValueError:
        pass
    return [b"\x05\x01\x00\x05\x01\x00" + a + b"\x00\x50" for a in asked]


async def send(how, data):
    """(word, body): "opened", "refused" with its status, or "hang"."""
    reader, writer = await asyncio.open_connection(*machine.PROXY)
    try:
        writer.write(data)
        if how == "socks5":
            reply = await asyncio.wait_for(reader.read(64), LIMIT_S)
            while 0 < len(reply) < 4:
                more = await asyncio.wait_for(reader.read(64), LIMIT_S)
                if not more:
                    break
                reply += more
            code = reply[3] if len(reply) > 3 else None
            return ("opened" if code == 0 else f"refused {code}"), b""
        reply = await asyncio.wait_for(reader.read(65536), LIMIT_S)
        words = reply.split(b"\r\n", 1)[0].split(b" ")
        status = words[1].decode() if len(words) > 1 else "closed"
        word = "opened" if status == "200" else f"refused {status}"
        denied = words[2:3] == [b"Denied"]
        code = words[3].decode() if denied else ""
        return f"{word} {code}".strip(), reply
    except TimeoutError:
        return "hang", b""
    except OSError as e:
        return f"refused {type(e).__name__}", b""
    finally:
        writer.close()


async def controls(canary):
    """Each control is reached in each way, or a refusal means nothing."""
    for name, address in CONTROLS.items():
        for how in ("connect", "forward", "socks5"):
            before = canary.reached[address]
            word, _ = await send(how, heads(how, name.encode())[0])
            await asyncio.sleep(0.02)
            if word != "opened" or canary.reached[address] != before + 1:
                raise RuntimeError(f"{name} by {how}: {word}")


async def sees_all(canary):
    """The canary is where a mistake would lead."""
    for address in ("127.0.0.1", "169.254.169.254", "168.63.129.16", "::1"):
        for port in PORTS:
            _, writer = await asyncio.open_connection(address, port)
            writer.close()
    await asyncio.sleep(0.1)
    seen = dict(canary.reached)
    canary.reached.clear()
    return seen


async def attack(canary):
    tally = collections.Counter()
    wrong = []
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(how, authority):
        async with gate:
            for data in heads(how, authority):
                word, _ = await send(how, data)
                tally[how, word] += 1
                if word == "hang":
                    wrong.append(f"{how} {authority!r} hangs")

    todo = authorities()
    for start in range(0, len(todo), 250):
        await controls(canary)
        await asyncio.gather(
            *(
                one(how, authority)
                for authority in todo[start : start + 250]
                for how in ("connect", "forward", "socks5")
            )
        )
    await controls(canary)
    return len(todo), tally, wrong


async def story(mode):
    canary = Canary()
    await canary.start()
    seen = await sees_all(canary)
    if len(seen) != 4:
        raise RuntimeError(f"the canary does not see: {seen}")
    count, tally, wrong = await attack(canary)
    for (how, word), n in sorted(tally.items()):
        print(f"# {n:6d} {how} {word}")
    allowed = set(CONTROLS.values())
    special = {a: n for a, n in canary.reached.items() if is_special(a)}
    others = {
        a: n
        for a, n in canary.reached.items()
        if a not in allowed and a not in special
    }
    return {
        "mode": mode,
        "authorities": count,
        "asked": sum(tally.values()),
        "special": special,
        "others": others,
        "controls": {a: canary.reached[a] for a in sorted(allowed)},
        "wrong": wrong[:20],
    }


def main():
    mode = sys.argv[1]
    for line in (
        "link set lo up",
        "route add local 0.0.0.0/0 dev lo",
        "-6 route add local ::/0 dev lo",
    ):
        subprocess.run(["ip", *line.split()], check=True)
    dns.serve(Careless(), *machine.DNS)
    with machine.Agent({**POLICY, "mode": mode}):
        print(json.dumps(asyncio.run(story(mode))))


if __name__ == "__main__":
    main()
