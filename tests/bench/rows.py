"""The rows of the table: which work, on whom, against which bars."""

import json
import statistics
import time

from lab import paths

from .subjects import (
    LOAD_CORE,
    PROGRAMS,
    PROXY_CORE,
    Floor,
    Haproxy,
    Injecting,
    Nginx,
    OpenSsl,
    Squid,
    Tinyproxy,
    Wayleave,
)

OURS = "wayleave"
RULES = 10_000

# Operations of a round, and what the smoke run does instead.
FULL = {
    "connect": 4000,
    "request": 60000,
    "token": 60000,
    "mib": 2048,
    "ping_s": 4,
    "idle": 4000,
    "million": 1_000_000,
    "rounds": 5,
}
SMOKE = {
    "connect": 100,
    "request": 500,
    "token": 500,
    "mib": 32,
    "ping_s": 1,
    "idle": 100,
    "million": 20_000,
    "rounds": 1,
}


class Bar:
    """Ours <= factor x theirs; without theirs an absolute number."""

    def __init__(self, factor, against=None, metric="value", least=False):
        self.factor = factor
        self.against = against
        self.metric = metric
        self.least = least

    def judge(self, medians):
        """(text, measured, met) or None when one side is missing."""
        ours = medians.get(self.metric, {}).get(OURS)
        base = 1
        if self.against:
            base = medians.get(self.metric, {}).get(self.against)
        if ours is None or not base:
            return None
        got = ours / base
        met = got >= self.factor if self.least else got <= self.factor
        sign = ">=" if self.least else "<="
        what = f"{sign} {self.factor:g}"
        what += f" x {self.against}" if self.against else ""
        if self.metric != "value":
            what = f"{self.metric} {what}"
        return what, got, met


class Row:
    """One line of the issue's table."""

    user = "root"
    bars = ()

    def __init__(self, lab, size):
        self.lab = lab
        self.size = size

    def subjects(self):
        """Started for all rounds of the row."""
        return []

    def load(self, subject, *options, core=LOAD_CORE, chrt=False):
        """Run the load against a subject; its JSON line."""
        argv = ["taskset", "-c", core]
        argv += ["chrt", "-f", "20"] if chrt else []
        argv += [PROGRAMS / "load", *options]
        if subject.pid:
            argv.append(f"pids={subject.pid}")
        done = self.lab.run_as(self.user, argv, timeout_s=300)
        if done.code != 0:
            raise RuntimeError(
                f"{self.name} against {subject.name}: {done}\n{subject.log()}"
            )
        return json.loads(done.out)

    def measure(self, subject):
        """{metric: value} of one round."""
        raise NotImplementedError

    def run(self, wanted, say):
        """{metric: {subject: [values]}}, subjects turned each round."""
        who = [s for s in self.subjects() if s.name in wanted]
        found = {}
        try:
            for s in who:
                s.start()
            for turn in range(self.rounds()):
                for s in who[turn % len(who) :] + who[: turn % len(who)]:
                    for metric, value in self.measure(s).items():
                        by = found.setdefault(metric, {})
                        by.setdefault(s.name, []).append(value)
                say(f"{self.name}: round {turn + 1} of {self.rounds()}")
        finally:
            for s in who:
                if s.pid:
                    s.stop()
        return found

    def rounds(self):
        return self.size["rounds"]


def tunnels(lab, floor):
    """All that carry tunnels, and the floor program of that kind."""
    return [
        Wayleave(lab, OURS, 7100, RULES),
        Floor(lab, "floor", 7110, "floor_tunnel", floor),
        Haproxy(lab, "haproxy", 7120),
        Tinyproxy(lab, "tinyproxy", 7130),
        Squid(lab, "squid", 7140),
    ]


def per_op(answer):
    return {"value": answer["cpu_ns"] / answer["ops"] / 1000}


class Connect(Row):
    """CPU per CONNECT: open, one echo of a ClientHello, close."""

    name, unit = "connect", "us CPU a tunnel"
    bars = (
        Bar(1.2, "floor"),
        Bar(0.45, "squid"),
        Bar(0.75, "tinyproxy"),
        Bar(1.35, "haproxy"),
    )

    def subjects(self):
        return tunnels(self.lab, "copy")

    def measure(self, subject):
        ops = self.size["connect"]
        return per_op(
            self.load(
                subject,
                "mode=connect",
                "at=32",
                f"ops={ops}",
                f"warm={ops // 8}",
                *subject.way_in("echo"),
            )
        )


class ManyRules(Connect):
    """The same with a million rules against ten."""

    name, unit = "rules", "us CPU a tunnel"
    bars = (Bar(1.03, "10 rules"),)

    def subjects(self):
        return [
            Wayleave(self.lab, OURS, 7100, self.size["million"]),
            Wayleave(self.lab, "10 rules", 7110, 10),
        ]

    def rounds(self):
        return self.size["rounds"] * 3


class Bulk(Row):
    """CPU per GiB through four tunnels."""

    unit = "CPU s a GiB"
    bars = (
        Bar(1.2, "floor"),
        Bar(0.5, "squid"),
        Bar(0.5, "haproxy"),
        Bar(0.5, "tinyproxy"),
    )

    def subjects(self):
        return tunnels(self.lab, "hybrid")

    def measure(self, subject):
        answer = self.load(
            subject,
            "mode=bulk",
            "at=4",
            f"mib={self.size['mib']}",
            f"way={self.way}",
            *subject.way_in("source"),
        )
        return {"value": answer["cpu_ns"] / 1e9 / (answer["bytes"] / 2**30)}


class Down(Bulk):
    """CPU per GiB through tunnels, down."""

    name, way = "down", "down"


class Both(Bulk):
    """CPU per GiB through tunnels, both ways at once."""

    name, way = "both", "both"


class Request(Row):
    """Absolute-form GET, keep-alive, 64 at once."""

    name, unit, kind = "get", "us CPU a request", "web"
    bars = (
        Bar(1.4, "floor"),
        Bar(0.95, "nginx"),
        Bar(0.95, "haproxy"),
        Bar(0.25, "squid"),
    )

    def subjects(self):
        floor = Floor(self.lab, "floor", 7110, "floor_http", "forward")
        return [
            Wayleave(self.lab, OURS, 7100, RULES),
            floor,
            Haproxy(self.lab, "haproxy", 7120),
            Nginx(self.lab, "nginx", 7150),
            Squid(self.lab, "squid", 7140),
        ]

    def measure(self, subject):
        # Squid needs five times as long for a request.
        ops = self.size["request"] // (4 if subject.name == "squid" else 1)
        return per_op(
            self.load(
                subject,
                "mode=request",
                "at=64",
                f"ops={ops}",
                f"warm={ops // 10}",
                *subject.way_in(self.kind),
            )
        )


def gateways(lab):
    """All that take plain HTTP, add a token and pool TLS upstream."""
    return [
        Injecting(lab, OURS, 7100, RULES),
        Haproxy(lab, "haproxy", 7120),
        Nginx(lab, "nginx", 7150),
    ]


class Gateway(Request):
    """GET through a gateway that adds a token, TLS upstream, 64 at once."""

    name, kind = "gateway", "gateway"
    bars = (Bar(1, "haproxy"),)

    def subjects(self):
        return gateways(self.lab)


class GatewayBody(Row):
    """CPU per GiB through four requests of a gateway."""

    unit = "CPU s a GiB; MiB"
    bars = (Bar(1, "haproxy"), Bar(8, metric="grown MiB"))

    def subjects(self):
        return gateways(self.lab)

    def measure(self, subject):
        answer = self.load(
            subject,
            "mode=body",
            "at=4",
            f"mib={self.size['mib']}",
            f"way={self.way}",
            *subject.way_in("gateway"),
        )
        return {
            "value": answer["cpu_ns"] / 1e9 / (answer["bytes"] / 2**30),
            "grown MiB": answer["grown_kib"] / 1024,
        }


class GatewayDown(GatewayBody):
    """CPU per GiB through a gateway, down."""

    name, way = "gateway-down", "down"


class GatewayUp(GatewayBody):
    """CPU per GiB through a gateway, up."""

    name, way = "gateway-up", "up"


class Inspected(Row):
    """An inspected CONNECT: a full handshake, one request, close."""

    name, unit = "inspected", "us CPU a tunnel"
    # 0.8 of the handshakes that a second of CPU is good for.
    bars = (Bar(1.25, "openssl"),)

    def subjects(self):
        return [
            Injecting(self.lab, OURS, 7100, RULES),
            OpenSsl(self.lab, "openssl", 7160),
        ]

    def measure(self, subject):
        if subject.name == "openssl":
            return per_op(subject.shake(self.size["ping_s"]))
        ops = self.size["connect"] // 2
        return per_op(
            self.load(
                subject,
                "mode=tls",
                "at=16",
                f"ops={ops}",
                f"warm={ops // 8}",
                *subject.way_in("inspected"),
            )
        )


class Token(Request):
    """Cached token answers, 64 at once."""

    name, unit, kind = "token", "us CPU an answer", "token"
    user = "alice"
    bars = (Bar(1.3, "floor"), Bar(0.8, "nginx"))

    def subjects(self):
        floor = Floor(self.lab, "floor", 7110, "floor_http", "answer")
        floor.way_in = lambda kind: [
            "proxy=127.0.0.1:7110",
            "host=127.0.0.1:7110",
            "target=/token",
        ]
        return [
            Wayleave(self.lab, OURS, 7100, RULES),
            floor,
            Nginx(self.lab, "nginx", 7150),
        ]


class Ping(Row):
    """64 bytes every 2 ms beside four bulk downloads."""

    name, unit = "ping", "ms; Gbit/s"
    bars = (
        Bar(0.6, metric="p50 ms"),
        Bar(3, metric="p99 ms"),
        Bar(1, "squid", metric="p99 ms"),
        Bar(0.125, "haproxy", metric="p99 ms"),
        Bar(1.4, "squid", metric="Gbit/s", least=True),
    )

    def subjects(self):
        return tunnels(self.lab, "hybrid")

    def measure(self, subject):
        seconds = self.size["ping_s"]
        bulk = self.lab.start_as(
            "root",
            [
                *("taskset", "-c", LOAD_CORE, PROGRAMS / "load"),
                *("mode=bulk", "at=4", f"seconds={seconds + 1}"),
                *subject.way_in("source"),
            ],
            log=f"bench-bulk-{subject.name}.log",
        )
        ping = self.load(
            subject,
            "mode=ping",
            f"seconds={seconds}",
            *subject.way_in("echo"),
            chrt=True,
        )
        code = self.lab.call("wait", pid=bulk, timeout_s=30)
        log = self.lab.folder / f"bench-bulk-{subject.name}.log"
        if code != 0:
            raise RuntimeError(f"bulk beside ping: {log.read_text()}")
        answer = json.loads(log.read_text().splitlines()[-1])
        return {
            "p50 ms": ping["p50_ns"] / 1e6,
            "p99 ms": ping["p99_ns"] / 1e6,
            "Gbit/s": answer["bytes"] * 8 / answer["wall_ns"],
        }


class Idle(Row):
    """User memory of an idle tunnel."""

    name, unit = "idle", "bytes a tunnel"
    bars = (Bar(1024), Bar(0.3, "haproxy"), Bar(0.03, "squid"))

    def subjects(self):
        return [
            Wayleave(self.lab, OURS, 7100, RULES),
            Floor(self.lab, "floor", 7110, "floor_tunnel", "copy"),
            Haproxy(self.lab, "haproxy", 7120),
            Squid(self.lab, "squid", 7140),
        ]

    def run(self, wanted, say):
        """Memory goes up once: every round has fresh processes."""
        found = {}
        for turn in range(min(self.rounds(), 3)):
            for s in self.subjects():
                if s.name not in wanted:
                    continue
                s.start()
                # What a start does behind its listeners is no tunnel's.
                time.sleep(1)
                try:
                    value = self.measure(s)["value"]
                finally:
                    s.stop()
                found.setdefault(s.name, []).append(value)
            say(f"idle: round {turn + 1}")
        return {"value": found}

    def measure(self, subject):
        ops = self.size["idle"]
        answer = self.load(
            subject,
            *("mode=connect", "keep=1", "at=16", f"ops={ops}"),
            *subject.way_in("echo"),
        )
        return {"value": answer["anon_kib"] * 1024 / answer["ops"]}


class Start(Row):
    """Start to the first byte served; memory when idle."""

    name, unit = "start", "ms; MiB"
    bars = (Bar(10, metric="ms"), Bar(6, metric="anon MiB"))

    def subjects(self):
        return tunnels(self.lab, "copy")

    def run(self, wanted, say):
        who = [s for s in self.subjects() if s.name in wanted]
        commands = {s.name: s.command() for s in who}
        found = {}
        for turn in range(self.rounds()):
            for s in who:
                for metric, value in self.once(s, commands[s.name]).items():
                    by = found.setdefault(metric, {})
                    by.setdefault(s.name, []).append(value)
            say(f"start: round {turn + 1}")
        return found

    def once(self, subject, command):
        user = [f"user={subject.user}"] if subject.user != "root" else []
        answer = self.load(
            subject,
            "mode=start",
            f"core={PROXY_CORE}",
            f"log={paths.STATE}/bench-{subject.name}.log",
            *user,
            *subject.way_in("echo"),
            "--",
            *command,
        )
        return {
            "ms": answer["start_ns"] / 1e6,
            "anon MiB": answer["anon_kib"] / 1024,
            "RSS MiB": answer["rss_kib"] / 1024,
        }


class Decide(Row):
    """A name decision at 10, 10,000 and 1,000,000 rules."""

    name, unit = "decide", "ns; bytes a rule"
    bars = (
        Bar(120, metric="10 rules ns"),
        Bar(150, metric="10000 rules ns"),
        Bar(700, metric="1000000 rules ns"),
        Bar(80, metric="bytes a rule"),
    )

    def run(self, wanted, say):
        found = {}
        for turn in range(self.rounds()):
            for rules in (10, 10_000, self.size["million"]):
                argv = ["taskset", "-c", PROXY_CORE, PROGRAMS / "decide"]
                done = self.lab.run_as(
                    "root", [*argv, f"rules={rules}"], timeout_s=300
                )
                if done.code != 0:
                    raise RuntimeError(f"decide: {done}")
                answer = json.loads(done.out)
                values = {f"{rules} rules ns": answer["decide_ns"]}
                if rules == self.size["million"]:
                    values["bytes a rule"] = answer["index_bytes"]
                    values["policy bytes a rule"] = answer["policy_bytes"]
                for metric, value in values.items():
                    by = found.setdefault(metric, {})
                    by.setdefault(OURS, []).append(value)
            say(f"decide: round {turn + 1}")
        return found


ROWS = [
    Connect,
    ManyRules,
    Down,
    Both,
    Request,
    Gateway,
    GatewayDown,
    GatewayUp,
    Inspected,
    Token,
    Ping,
    Idle,
    Start,
    Decide,
]


def medians(found):
    return {
        metric: {who: statistics.median(v) for who, v in by.items()}
        for metric, by in found.items()
    }
