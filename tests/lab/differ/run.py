"""Generated requests in six ways; every disagreement is printed.

Usage, as root inside the lab: python -m lab.differ.run SEED REQUESTS
"""

import ipaddress
import json
import random
import sys
import threading
import time
from collections import Counter

from .. import dns
from . import agent as machine
from .world import BAD, World

ROUND = 250
LIVE_WHY = 8
SHOWN = 20
# One table in the code; what report mode lets pass (contract 3).
SOFT = {
    *("HOST_NOT_ALLOWED", "PORT_NOT_ALLOWED", "WORKLOAD_NOT_ALLOWED"),
    *("RULE_DENIES", "EXCEPTION_EXPIRED", "PUBLIC_ADDRESS"),
    *("MIXED_ADDRESSES", "UNEXPECTED_PRIVATE", "NO_PRIVATE_ZONE"),
    *("WRONG_ZONE", "SNI_MISSING", "SNI_MISMATCH"),
    *("METHOD_NOT_ALLOWED", "PATH_NOT_ALLOWED"),
}
AFTER = ("CONNECT_", "UPSTREAM_", "TLS_")
SOCKS_REPLY = {"DNS": 4, "AUDIT_UNAVAILABLE": 1, "NOT_READY": 1}


def canonical(host):
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def key_of(record):
    who = record["workload"]
    way = record["protocol"]
    if way == "connect" and record["method"] != "CONNECT":
        way = "inspect"
    return (
        way,
        canonical(record["host"] or ""),
        record["port"],
        who["user"],
        who["unit"],
    )


class Round:
    """One policy and its requests, asked in every way."""

    def __init__(self, agent, askers, world, tally):
        self.agent, self.askers, self.world = agent, askers, world
        self.tally = tally
        self.report = world.policy["mode"] == "report"
        self.faults = []

    def fault(self, case, what, **seen):
        who = self.world.people[case["who"]]
        self.faults.append({"what": what, "case": case, "who": who, **seen})

    # ---- the live ways ----

    def live(self):
        """Asks; each case gets its answers and its three records."""
        groups = [[] for _ in self.askers]
        for case in self.world.cases:
            groups[case["who"]].append(case)

        def work(asker, cases):
            for case, found in zip(cases, asker.ask(cases)):
                case["seen"] = found

        threads = [
            threading.Thread(target=work, args=pair)
            for pair in zip(self.askers, groups)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.collect()

    def collect(self):
        wanted = {}
        for case in self.world.cases:
            case["records"] = {}
            who = self.world.people[case["who"]]
            for way in case["seen"]:
                key = (
                    *(way, canonical(case["host"]), case["port"]),
                    *(who["user"], who["unit"]),
                )
                wanted[key] = case
        end = time.monotonic() + 20
        left = len(wanted)
        while left and time.monotonic() < end:
            for record in self.agent.records():
                if record["event"] != "request":
                    continue
                case = wanted.get(key_of(record))
                way = key_of(record)[0]
                if case and way not in case["records"]:
                    case["records"][way] = record
                    left -= 1
            time.sleep(0.02)

    # ---- the facts for those who only judge ----

    def question(self, case, way, sni):
        who = self.world.people[case["who"]]
        target = f"{case['written']}:{case['port']}"
        scheme = {"forward": "http", "inspect": "https"}.get(way)
        found = {
            **{k: who[k] for k in ("user", "groups", "unit", "cgroup")},
            **(
                {
                    "url": f"{scheme}://{target}{case['place']}",
                    "method": case["method"],
                }
                if scheme
                else {"connect": target}
            ),
        }
        if case["resolves"]:
            found["resolves"] = case["resolves"]
        if sni:
            found["sni"] = case["sni"]
        return found

    def batch(self):
        """`why --batch` on the same file."""
        asked = [
            (case, way, self.question(case, way, way in self.shook(case)))
            for case in self.world.cases
            for way in case["seen"]
        ]
        lines = "".join(json.dumps(q) + "\n" for _, _, q in asked)
        out = machine.tool(
            "why", "--batch", "--policy", str(machine.POLICY), given=lines
        )
        replies = [json.loads(line) for line in out.splitlines()]
        assert len(replies) == len(asked)
        for (case, way, _), reply in zip(asked, replies):
            case.setdefault("why", {})[way] = reply

    def shook(self, case):
        """The ways in which a ClientHello was seen."""
        return {w for w, s in case["seen"].items() if s.get("hello")}

    # ---- comparing ----

    def expected(self, case, way, reply):
        """Whether a record agrees with a verdict; says why not."""
        record = case["records"].get(way)
        if record is None:
            return "there is no record"
        if "error" in reply:
            return f"why says {reply['error']}"
        code = record["code"] or ""
        if code.startswith(AFTER):
            code = ""
        mine = (record["verdict"], code, record["rule"])
        if record["would"] == "deny":
            mine = ("deny", *mine[1:])
        theirs = (reply["verdict"], reply["code"], reply["rule"])
        self.tally[way, record["verdict"], code] += 1
        # What is judged last is all that is known without an answer.
        if code.startswith("DNS_") and reply["code"] in ("", "SAS_REFUSED"):
            mine = (reply["verdict"], reply["code"], record["rule"])
        hard = record["verdict"] == "deny" and mine != theirs
        if self.report and hard and theirs[1] in SOFT:
            # Enforce would have ended earlier than report mode did.
            return None if theirs[0] == "deny" else "why allows"
        return None if mine == theirs else f"live {mine}, why {theirs}"

    def check_case(self, case):
        for way in case["seen"]:
            wrong = self.expected(case, way, case["why"][way])
            if wrong:
                self.fault(case, f"{way}: {wrong}")
            self.check_reply(case, way)
        first, other = (case["records"].get(w) for w in ("connect", "socks5"))
        if first and other:
            for member in ("verdict", "would", "code", "rule", "resolved"):
                mine, theirs = first[member], other[member]
                if member == "resolved" and mine and theirs:
                    mine, theirs = (
                        {k: sorted(v[k]) for k in ("chain", "addresses")}
                        for v in (mine, theirs)
                    )
                if mine != theirs:
                    self.fault(case, f"CONNECT and SOCKS5 differ in {member}")
        self.check_plain(case)
        self.check_inspected(case)

    def check_inspected(self, case):
        """What is said to be looked into is, and nothing else."""
        said = case["why"]["connect"]
        record = case["records"].get("connect")
        if "inspect" not in case["ways"] or record is None:
            return
        if said.get("verdict") != "allow" or record["verdict"] != "allow":
            return
        met = "inspect" in case["seen"]
        if met != said["inspect"]:
            self.fault(case, f"inspected: {met}, why {said['inspect']}")

    def check_plain(self, case):
        """Plain HTTP passes nowhere that a tunnel would not."""
        plain = case["records"].get("forward")
        tunnel = case["records"].get("connect")
        if not plain or not tunnel or self.report:
            return None
        # A tunnel hides what a rule looks for, or is refused behind its 200.
        late = (tunnel["code"] or "").startswith(
            ("SNI_", "METHOD_NOT_ALLOWED")
        )
        if plain["verdict"] == "allow" and tunnel["verdict"] == "deny":
            return late or self.fault(
                case, "plain HTTP passes, the tunnel does not"
            )
        codes = (plain["code"], tunnel["code"])
        # On port 80 only the word for a rule without it is another, and a
        # deny rule may be about what a tunnel hides.
        if (
            case["port"] == 80
            and codes[0] != "RULE_DENIES"
            and set(codes) <= SOFT - {"PORT_NOT_ALLOWED"}
            and codes[0] != codes[1]
            and not late
        ):
            self.fault(case, "plain HTTP has another code")
        return None

    def check_reply(self, case, way):
        """What the client was told is what was recorded."""
        seen, record = case["seen"][way], case["records"].get(way)
        if record is None:
            return
        code = record["code"]
        opened = seen["status"] == (0 if way == "socks5" else 200)
        # The destination itself may not know a method.
        opened |= way in ("forward", "inspect") and seen["status"] == 501
        if opened:
            if record["verdict"] == "deny" and not code.startswith(
                ("SNI_", "NOT_TLS", "ECH_")
            ):
                self.fault(case, f"{way}: opened, but recorded {code}")
            return
        if way != "socks5":
            told = seen.get("code")
            fault = (told or "").startswith(AFTER)
            if told != code and not (fault and record["would"]):
                self.fault(case, f"{way}: told {told}, recorded {code}")
        elif record["verdict"] == "deny":
            kind = "DNS" if code.startswith("DNS_") else code
            if seen["status"] != SOCKS_REPLY.get(kind, 2):
                self.fault(case, f"SOCKS5 replies {seen['status']}: {code}")

    # ---- the policy's own tests, and the daemon's `why` ----

    def policy_test(self):
        """Each test expects what was seen live; then all must pass."""
        tests, cases = [], []
        for case in self.world.cases:
            for way, reply in case["why"].items():
                if "error" in reply:
                    continue
                sni = way in self.shook(case)
                test = {
                    "request": self.question(case, way, sni),
                    "expect": reply["verdict"],
                }
                if reply["verdict"] == "deny":
                    test["code"] = reply["code"]
                if reply["rule"]:
                    test["rule"] = reply["rule"]
                tests.append(test)
                cases.append((case, way))
        path = machine.ROOT / "tests.json"
        path.write_text(json.dumps({**self.world.policy, "tests": tests}))
        found = json.loads(machine.tool("policy", "test", "--json", str(path)))
        assert len(found["tests"]) == len(tests)
        for result, (case, way) in zip(found["tests"], cases):
            if not result["passed"]:
                self.fault(case, f"{way}: policy test: {result['why']}")
            reply = case["why"][way]
            if (result["rule"], result["code"]) != (
                reply["rule"],
                reply["code"],
            ):
                self.fault(case, f"{way}: policy test has {result}")

    def live_why(self, rng):
        for case in rng.sample(self.world.cases, LIVE_WHY):
            ways = ["connect", "forward", "inspect"]
            way = rng.choice([w for w in ways if w in case["seen"]])
            record = case["records"].get(way)
            question = self.question(case, way, False)
            question.pop("resolves", None)
            target = question.pop("url", None) or question.pop("connect")
            reply = self.agent.call(verb="why", target=target, **question)
            if record is None or not reply.get("ok"):
                self.fault(case, f"{way}: the daemon's why: {reply}")
                continue
            self.tally["why", reply["verdict"], reply["code"]] += 1
            offline = case["why"][way]
            mine = [reply[k] for k in ("verdict", "code", "rule")]
            theirs = [offline[k] for k in ("verdict", "code", "rule")]
            if reply["code"].startswith("DNS_"):
                theirs = ["deny", record["code"], record["rule"]]
            if "sni" in offline or offline["code"].startswith("SNI_"):
                continue
            if mine != theirs:
                self.fault(case, f"{way}: daemon's why {mine}, {theirs}")

    # ---- what is no host ----

    def bad_hosts(self, rng):
        written = rng.sample(BAD, 4)
        cases = [
            {
                "written": w,
                "host": w,
                "port": 443,
                "who": 0,
                "literal": False,
                "sni": "x",
            }
            for w in written
        ]
        lines = "".join(
            json.dumps({"connect": f"{w}:443", "user": "alice"}) + "\n"
            for w in written
        )
        out = machine.tool(
            "why", "--batch", "--policy", str(machine.POLICY), given=lines
        )
        replies = [json.loads(line) for line in out.splitlines()]
        for case, found, reply in zip(
            cases, self.askers[0].ask(cases), replies
        ):
            for way, seen in found.items():
                if seen["status"] in (200, 0):
                    self.fault(case, f"{way} opened", seen=seen)
            refused = found["connect"]["code"] in (
                *("BAD_HOST", "BAD_AUTHORITY", "BAD_REQUEST"),
            )
            if refused != ("error" in reply):
                self.fault(case, "CONNECT and why differ", seen=(found, reply))
            self.tally["bad", "deny", str(found["connect"]["code"])] += 1
        self.agent.records()


def rounds(seed, requests):
    """Yields (round, faults) until as many requests were compared."""
    rng = random.Random(seed)
    people = machine.people()
    zone = dns.Zone()
    dns.serve(zone, *machine.DNS)
    askers = [machine.Asker(p) for p in people]
    tally = Counter()
    done = number = 0
    with machine.Agent({"version": 1, "endpoints": ["10.0.0.0/8"]}) as agent:
        while done < requests:
            number += 1
            world = World(rng, number, people, ROUND)
            zone.table = world.zone
            agent.reload(world.policy)
            one = Round(agent, askers, world, tally)
            one.live()
            one.batch()
            one.policy_test()
            for case in world.cases:
                one.check_case(case)
            one.live_why(rng)
            one.bad_hosts(rng)
            done += len(world.cases)
            yield one, done, tally
    for asker in askers:
        asker.close()


def main():
    seed, requests = sys.argv[1], int(sys.argv[2])
    print(f"seed {seed}, {requests} requests", flush=True)
    faults, shown = 0, Counter()
    start = time.monotonic()
    for one, done, tally in rounds(seed, requests):
        faults += len(one.faults)
        for fault in one.faults:
            kind = fault["what"]
            shown["all"] += 1
            if shown["all"] <= SHOWN:
                print(f"DIFFERS: {kind}")
                print(json.dumps(fault, default=str)[:3000])
                path = machine.ROOT / f"differs-{shown['all']}.json"
                path.write_text(json.dumps(one.world.policy))
    for (way, verdict, code), n in sorted(tally.items()):
        print(f"# {n:7d} {way} {verdict} {code}")
    print(f"# {done} requests in {time.monotonic() - start:.1f} s")
    print(json.dumps({"requests": done, "differ": faults}))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
