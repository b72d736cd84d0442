"""168.63.129.16:53, UDP and TCP: answers as the zones say, also wrongly."""

import ipaddress
import socket
import struct
import threading
from collections import Counter

from . import names, zones

A, CNAME, SOA, AAAA = 1, 5, 6, 28
NXDOMAIN = 3
UDP_MAX = 1232


def encode(name):
    out = b""
    for label in name.rstrip(".").split("."):
        data = label.encode("latin-1")
        out += bytes([len(data)]) + data
    return out + b"\0"


def record(owner, kind, ttl, data):
    head = struct.pack("!HHIH", kind, 1, ttl, len(data))
    return encode(owner) + head + data


def soa(zone, private):
    mname = "azureprivatedns.net" if private else "ns1-06.azure-dns.com"
    rname = "azureprivatedns-host.microsoft.com"
    numbers = struct.pack("!IIIII", 1, 3600, 300, 2419200, 10)
    return record(zone, SOA, 10, encode(mname) + encode(rname) + numbers)


class Query:
    """One question, read strictly."""

    def __init__(self, data):
        self.id, self.flags, count = struct.unpack("!HHH", data[:6])
        if count != 1 or self.flags & 0x8000:
            raise ValueError("not a query")
        at, labels = 12, []
        while data[at]:
            size = data[at]
            if size > 63:
                raise ValueError("label")
            labels.append(data[at + 1 : at + 1 + size].decode("latin-1"))
            at += 1 + size
        self.name = ".".join(labels)
        self.kind, self.klass = struct.unpack("!HH", data[at + 1 : at + 5])
        self.question = data[12 : at + 5]


class Zone:
    """Entries: cname, cname2, a, aaaa, ttl, rcode, nxdomain (zone), silent,
    tc, spoof (id, question, source), foreign (owner, address), rebind,
    gone (an empty answer), nul_owner."""

    def __init__(self):
        self.table = zones.records()
        self._turn = Counter()
        self.asked = Counter()
        self.kinds = Counter()
        # "silent", "truncated", or a response code: of every question.
        self.fault = None
        self.lock = threading.Lock()

    def walk(self, name):
        """The entries along the chain, at most 20: a loop goes on."""
        out, at = [], name.lower()
        if at.endswith("." + names.FRESH):
            return [(at, {"a": [names.FAULTY_ADDRESS]})]
        while at in self.table and len(out) < 20:
            entry = self.table[at]
            out.append((at, entry))
            if "cname" not in entry:
                break
            at = entry["cname"]
        return out

    def addresses(self, owner, entry, kind):
        if kind == A and "rebind" in entry:
            with self.lock:
                turn = self._turn[owner]
                self._turn[owner] += 1
            choices = entry["rebind"]
            return [choices[min(turn, len(choices) - 1)]]
        return entry.get("a" if kind == A else "aaaa", [])

    def rewind(self):
        with self.lock:
            self._turn.clear()
            self.asked.clear()
            self.kinds.clear()


def _answers(zone, query, steps):
    out = []
    for owner, entry in steps:
        ttl = entry.get("ttl", 10)
        for key in ("cname", "cname2"):
            if key in entry:
                out.append(record(owner, CNAME, ttl, encode(entry[key])))
        if "foreign" in entry and query.kind == A:
            name, address = entry["foreign"]
            out.append(record(name, A, ttl, socket.inet_aton(address)))
    owner, entry = steps[-1]
    ttl = 0 if "rebind" in entry else entry.get("ttl", 10)
    if query.kind in (A, AAAA) and "cname" not in entry:
        for text in zone.addresses(owner, entry, query.kind):
            data = ipaddress.ip_address(text).packed
            name = owner.replace(".", "\0x.", 1)
            name = name if entry.get("nul_owner") else owner
            out.append(record(name, query.kind, ttl, data))
    return out


def reply(query, rcode, answers, authority=(), tc=False, ident=None):
    flags = 0x8180 | (query.flags & 0x0100) | rcode | (0x0200 if tc else 0)
    head = struct.pack(
        "!HHHHHH",
        query.id if ident is None else ident,
        flags,
        1,
        len(answers),
        len(authority),
        0,
    )
    return head + query.question + b"".join(answers) + b"".join(authority)


def answer(zone, query, udp):
    """The messages to send, in order, as (message, from another port)."""
    with zone.lock:
        zone.asked[query.name.lower()] += 1
        zone.kinds[query.kind] += 1
    if zone.fault == "silent":
        return []
    if isinstance(zone.fault, int):
        return [(reply(query, zone.fault, []), False)]
    if zone.fault == "truncated" and udp:
        return [(reply(query, 0, [], tc=True), False)]
    steps = zone.walk(query.name)
    if not steps:
        no = soa("core.windows.net", private=False)
        return [(reply(query, NXDOMAIN, [], [no]), False)]
    last = steps[-1][1]
    if last.get("silent"):
        return []
    if "rcode" in last:
        return [(reply(query, last["rcode"], []), False)]
    answers = _answers(zone, query, steps)
    if "nxdomain" in last:
        no = soa(last["nxdomain"], private=True)
        return [(reply(query, NXDOMAIN, answers, [no]), False)]
    own = last.get("soa", zones.BLOB)
    none = [] if len(answers) >= len(steps) else [soa(own, False)]
    message = reply(query, 0, answers, none)
    if udp and (last.get("tc") or len(message) > UDP_MAX):
        return [(reply(query, 0, answers[:1], tc=True), False)]
    if udp and "spoof" in last:
        return [_spoof(query, last["spoof"]), (message, False)]
    return [(message, False)]


def _spoof(query, how):
    """A message that points at the public address and must not be heard."""
    bad = [record(query.name, A, 600, socket.inet_aton(names.PUBLIC))]
    if how == "id":
        return reply(query, 0, bad, ident=query.id ^ 0x5A5A), False
    if how == "question":
        other = Query.__new__(Query)
        other.__dict__.update(query.__dict__)
        other.question = encode("other.example") + query.question[-4:]
        return reply(other, 0, bad), False
    return reply(query, 0, bad), True


def _udp(zone, sock, stray):
    while True:
        data, peer = sock.recvfrom(4096)
        try:
            messages = answer(zone, Query(data), True)
        except (ValueError, IndexError, struct.error):
            continue
        for message, elsewhere in messages:
            (stray if elsewhere else sock).sendto(message, peer)


def _tcp_one(zone, conn):
    conn.settimeout(10)
    stream = conn.makefile("rb")
    try:
        while size := stream.read(2):
            data = stream.read(struct.unpack("!H", size)[0])
            for message, _ in answer(zone, Query(data), False):
                conn.sendall(struct.pack("!H", len(message)) + message)
    except (OSError, ValueError, IndexError, struct.error):
        pass
    finally:
        conn.close()


def _tcp(zone, sock):
    while True:
        conn, _ = sock.accept()
        threading.Thread(
            target=_tcp_one, args=(zone, conn), daemon=True
        ).start()


def serve(zone, address=names.DNS, port=53):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, port))
    stray = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stray.bind((address, 0))
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, port))
    tcp.listen(128)
    for target, args in ((_udp, (zone, udp, stray)), (_tcp, (zone, tcp))):
        threading.Thread(target=target, args=args, daemon=True).start()
