"""Replays the cases at an agent; prints {group: [what went wrong]} as JSON.

The destination is served here. With --gateway it speaks TLS, and the cases
are said in origin-form to a gateway that leads to it; with --inside to a
tunnel that is inspected. Every case uses its own connection, and a probe
after it must get its own answer.
"""

import argparse
import functools
import json
import ssl
import sys

from lab import web

from . import client, http1, origin, responses


class Replay:
    def __init__(self, proxy, origin, piece, ca=None):
        host, _, port = proxy.rpartition(":")
        self.proxy = (host, int(port))
        self.origin = origin
        self.piece = piece
        inside = ca and origin.host.decode()
        gateway = origin.tls and not inside
        self.authority = proxy if gateway else origin.host.decode()
        self.dial = functools.partial(
            client.Client,
            self.proxy,
            inside,
            ssl.create_default_context(cafile=ca) if ca else None,
        )
        self.probes = 0

    def fill(self, text):
        if self.origin.tls:
            text = text.replace("http://{A}/", "/")
        return text.replace("{A}", self.authority).encode("latin-1")

    def ask(self, raw, count, methods, extra_s=0.03):
        c = self.dial()
        try:
            c.say(raw, self.piece)
            return c.answers(count, methods, extra_s), c.ended
        finally:
            c.close()

    def probe(self):
        self.probes += 1
        target = f"/probe-{self.probes}"
        raw = self.fill(
            http1.get(
                "Connection: close",
                line="GET http://{A}" + target + " HTTP/1.1",
            )
        )
        answers, _ = self.ask(raw, 1, [b"GET"])
        seen = [a.fields.get(b"x-seen") for a in answers]
        if seen != [target.encode()]:
            return f"the probe got {answers} {seen}"
        self.origin.take()
        return None

    def request(self, case):
        raw = self.fill(case.raw)
        methods = [raw.split()[0].upper() if raw.split() else b""]
        answers, ended = self.ask(raw, len(case.want), methods)
        seen, faults, came = self.origin.take()
        targets = [t.decode("latin-1") for _, t in seen]
        statuses = [a.status for a in answers]
        wrong = list(faults)
        if statuses != list(case.want):
            wrong.append(f"answers {statuses}, not {case.want}")
        if targets != list(case.seen):
            wrong.append(f"passed on {targets}, not {list(case.seen)}")
        if any(a.body is None for a in answers) or ended == "reset":
            wrong.append(f"the answer was cut: {answers} {ended}")
        if b"/evil" in b"".join(came):
            wrong.append("a request was smuggled")
        if max(case.want) >= 400 and ended != "closed":
            wrong.append("the connection stays after a refusal")
        return wrong

    def response(self, name, case):
        """Two requests on one connection: the second gets its own answer,
        or none."""
        first = http1.get(line="GET http://{A}/say/" + name + " HTTP/1.1")
        second = http1.get(line="GET http://{A}/after HTTP/1.1")
        c = self.dial()
        try:
            c.say(self.fill(first), self.piece)
            answers = c.answers(1, [b"GET"] * 2, 0.1 if case.later else 0.03)
            ended = c.ended
            if ended == "open":
                c.say(self.fill(second), self.piece)
                answers = c.answers(2, [b"GET"] * 2)
        finally:
            c.close()
        self.origin.take()
        return self.judge(case, answers, ended, c.ended)

    @staticmethod
    def judge(case, answers, ended, last):
        if not answers:
            # A cut may take the head with it, but never the visible end.
            cut = case.body is None and last in ("closed", "reset")
            return [] if cut else ["no answer"]
        wrong = []
        if answers[0].status != case.status:
            wrong.append(f"answer {answers[0]}, not {case.status}")
        body = answers[0].body
        if case.status < 400 and body != case.body:
            wrong.append(f"body {body!r:.60}, not {case.body!r}")
        if case.body is None and ended == "open":
            wrong.append("the cut is not to be seen")
        for a in answers[1:]:
            if a.fields.get(b"x-seen") != b"/after" or a.body != b"ok":
                wrong.append(f"poisoned: {a} {a.fields}")
        if ended == "open" and len(answers) != 2:
            wrong.append(f"the second got nothing: {answers} {last}")
        return wrong


def replay(kind, r, only):
    found = {}
    groups = http1.GROUPS if kind == "requests" else responses.GROUPS
    for group, cases in groups.items():
        if only and group not in only:
            continue
        found[group] = []
        for name, case in cases.items():
            if r.origin.tls:
                case = http1.GATEWAY.get((group, name), case)
            try:
                if kind == "requests":
                    wrong = r.request(case)
                else:
                    wrong = r.response(name, case)
                wrong += [p for p in [r.probe()] if p]
            except (OSError, ValueError) as e:
                wrong = [f"{type(e).__name__}: {e}"]
            found[group] += [f"{name}: {w}" for w in wrong]
    return found


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("kind", choices=["requests", "responses"])
    ask.add_argument("proxy", help="HOST:PORT")
    ask.add_argument("address", help="where the destination is served")
    ask.add_argument("port", type=int)
    ask.add_argument("name", help="by which it is asked for")
    ask.add_argument("--lenient", action="store_true")
    ask.add_argument("--gateway", action="store_true")
    ask.add_argument("--inside", help="a tunnel's TLS; the CA's file")
    ask.add_argument("--piece", type=int, default=0, help="bytes at a time")
    ask.add_argument("--only", help="groups, joined by commas")
    ask.add_argument("--limit-s", type=float, default=client.LIMIT_S)
    asked = ask.parse_args()
    client.LIMIT_S = asked.limit_s
    server = origin.Origin(
        asked.address,
        asked.port,
        asked.name,
        asked.lenient,
        web.tls_context() if asked.gateway or asked.inside else None,
    )
    r = Replay(asked.proxy, server, asked.piece, asked.inside)
    only = asked.only.split(",") if asked.only else []
    json.dump(replay(asked.kind, r, only), sys.stdout)


if __name__ == "__main__":
    main()
