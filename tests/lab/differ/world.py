"""Random policies, names and requests; all of it follows from one seed."""

# The zone that proves the private route, for hosts under a public suffix.
BASES = {
    "blob.core.windows.net": "privatelink.blob.core.windows.net",
    "vault.azure.net": "privatelink.vaultcore.azure.net",
    "database.windows.net": "privatelink.database.windows.net",
    "azuredatabricks.net": "privatelink.azuredatabricks.net",
    "azurecr.io": "privatelink.azurecr.io",
    "corp.lab.example": None,
    "deep.corp.lab.example": None,
    "example.org": None,
}
INNER = ["10.20.7.1", "10.20.7.2", "10.21.0.9", "10.20.99.3"]
INNER_V6 = ["fd00:20::9", "fd00:20::7:1"]
STRANGERS = ["10.77.0.1", "192.168.3.4", "172.16.9.9", "100.64.1.1"]
STRANGERS += ["fd00:99::1"]
# Public, and on nobody's interface: reaching out is seen as unreachable.
GLOBAL = ["52.239.1.2", "20.150.3.4", "13.64.0.1", "8.8.4.4"]
GLOBAL_V6 = ["2606:4700::1111", "2a01:111::5"]
NEVER = ["127.0.0.1", "0.0.0.0", "169.254.169.254", "168.63.129.16"]
NEVER += ["169.254.1.1", "224.0.0.1", "240.0.0.1", "192.0.2.1", "192.0.0.8"]
NEVER += ["198.18.0.1", "255.255.255.255", "192.88.99.1"]
NEVER_V6 = ["::1", "::", "fe80::1", "ff02::1", "64:ff9b::a14:701"]
NEVER_V6 += ["2002:a14:701::1", "2001:0:a14:701::1"]
NEVER_V6 += ["64:ff9b:1::1", "2001:db8::1", "fec0::1"]
NEVER_V6 += ["::10.20.7.1", "fd00:20::5efe:a14:701"]
# As literals only: an AAAA that holds one is dropped before it is judged.
MAPPED = ["::ffff:10.20.7.1", "::ffff:52.239.1.2", "::ffff:127.0.0.1"]
ENDPOINTS = [
    ["10.20.0.0/16"],
    ["10.20.0.0/16", "10.21.0.0/24", "fd00:20::/32"],
    ["10.20.7.0/24", "52.239.0.0/16"],
    ["10.20.7.1/32"],
    ["10.0.0.0/8", "fd00:20::/32", "fd00:99::/48"],
]
# A server that answers: what is allowed there shows its ClientHello.
# Of the tunnels so many are looked into, where they can be.
INSPECTED = 0.5
SERVED = "10.20.0.12"
PORTS = [[443], [443], [80], [80, 443], [8443], [443, 8443], [80, 8443]]
PAST, FUTURE = "2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z"
UNITS = [["job-*.service"], ["job-1.service"], ["*.scope"], ["x.service"]]
UNITS += [["user@*.service"], ["*"], ["job-?.service"]]
METHODS = [["GET"], ["GET", "HEAD"], ["PUT", "POST"], ["DELETE"]]
PATHS = [["/a/*"], ["/a", "/b/**"], ["/*/k/*"], ["/**"], ["/a/b"]]
# What is asked for in plain HTTP: mostly plain, in part with tricks.
PLACES = ["/", "/a", "/a/b", "/a/b/c", "/b/", "/x/k/y", "/A/b", "/c"]
TRICKS = [
    *("/%61/b", "//a/b", "/a//b", "/a;v/b", "/a/;x", "/%2561", "/a%2fb"),
    *("/a/../b", "/a/%2e%2e/b", "/a/..;/b", "/a\\b", "/a%00", "/b/%c3%a9"),
    *("/x/%6b/y", "/a%", "/%24batch", "/a/$batch", "/a/b%0a", "/a/.b"),
]
QUERIES = ["sv=1", "sig=x", "%73ig=x", "a=1;s%69g=x", "comp=list"]
QUERIES += ["comp=batch", "s%=1", "%2573IG=x", "sigma=1"]
# What no parser takes for a host.
BAD = [
    *(
        "a b.example.org",
        "a_b..example.org",
        ".example.org",
        "a..b.example.org",
    ),
    *("-", "exa%6dple.org", "user@example.org", "0x7f.0.0.1", "0177.0.0.1"),
    *("2130706433", "127.1", "1.2.3.4.5", "10.20.7", "[::1", "::1]"),
    *("fe80::1%25lo", "[fe80::1%lo]", "[v1.x]", "*.example.org", "a" * 64),
    *(f"{'a.' * 127}org", "ex\xe4mple.org", "example.org/", "example.org?"),
    *(
        "example.org#",
        "ex\\ample.org",
        "\uff11.2.3.4",
        "10.20.7.1.",
        "[10.0.0.1]",
    ),
]


def pick(rng, *weighted):
    """pick(rng, (3, "a"), (1, "b")): mostly "a"."""
    total = sum(w for w, _ in weighted)
    at = rng.random() * total
    for weight, value in weighted:
        at -= weight
        if at < 0:
            return value
    return weighted[-1][1]


class World:
    """One policy, one DNS, and requests that mostly come near its rules."""

    def __init__(self, rng, number, people, size):
        self.rng = rng
        self.tag = f"r{number}"
        self.people = people
        self.zone = {}
        self.resolves = {}
        self.hosts = [self._host(i) for i in range(max(30, size // 4))]
        self.policy = self._policy()
        self.cases = self._cases(size)

    # ---- names ----

    def _host(self, i):
        base = self.rng.choice(list(BASES))
        label = f"{self.tag}h{i}"
        if self.rng.random() < 0.2:
            label = f"sub{i % 3}.{label}"
        host = f"{label}.{base}"
        self._resolve(host, BASES[base])
        return host

    def _addresses(self):
        rng = self.rng
        sets = [
            (6, lambda: [rng.choice(INNER)]),
            (2, lambda: rng.sample(INNER, 2)),
            (1, lambda: [rng.choice(INNER_V6)]),
            (1, lambda: [rng.choice(INNER), rng.choice(INNER_V6)]),
            (2, lambda: [SERVED]),
            (2, lambda: [rng.choice(GLOBAL)]),
            (1, lambda: [rng.choice(GLOBAL_V6)]),
            (1, lambda: [rng.choice(GLOBAL), rng.choice(INNER)]),
            (1, lambda: [rng.choice(GLOBAL_V6), rng.choice(INNER)]),
            (1, lambda: [rng.choice(STRANGERS)]),
            (1, lambda: [rng.choice(STRANGERS), rng.choice(INNER)]),
            (1, lambda: [rng.choice(NEVER)]),
            (1, lambda: [rng.choice(NEVER_V6)]),
            (1, lambda: [rng.choice(NEVER_V6), rng.choice(INNER)]),
            (1, lambda: [rng.choice(GLOBAL), rng.choice(NEVER)]),
        ]
        return pick(rng, *sets)()

    def _chain(self, host, zone):
        """The names that the host's chain leads through."""
        rng = self.rng
        label = "-".join(host.split(".")[:2])
        other = rng.choice([z for z in BASES.values() if z and z != zone])
        kinds = [
            (6, [f"{label}.{zone}"] if zone else []),
            (1, []),
            (1, [f"{label}.edge.example.net"]),
            (1, [f"{label}.{other}"]),
            (1, [f"{label}.{zone or other}.evil.example"]),
            (1, [f"x{label}.{zone or other}"]),
            (1, [f"{label}.hop.example.net", f"{label}.{zone or other}"]),
            (1, [f"{label}.{zone or other}", f"{label}.stamp.example.net"]),
        ]
        return pick(rng, *kinds)

    def _resolve(self, host, zone):
        chain = self._chain(host, zone)
        at = host
        for target in chain:
            self.zone[at] = {"cname": target}
            at = target
        fault = pick(self.rng, (30, None), (1, "nxdomain"), (1, "nodata"))
        if fault == "nxdomain":
            self.zone[at] = {"nxdomain": at.split(".", 1)[1]}
            self.resolves[host] = None
            return
        addresses = [] if fault else self._addresses()
        self.zone[at] = {
            "soa": at.split(".", 1)[1],
            "a": [a for a in addresses if ":" not in a],
            "aaaa": [a for a in addresses if ":" in a],
        }
        self.resolves[host] = [*chain, *addresses] if addresses else None

    # ---- the policy ----

    def _workload(self):
        rng = self.rng
        person = rng.choice(self.people)
        found = {}
        if rng.random() < 0.6:
            users = [person["user"], "nobody", "bob", "alice"]
            found["users"] = rng.sample(users, rng.randint(1, 2))
        if rng.random() < 0.3:
            group = rng.choice([*person["groups"], "daemon"])
            found["groups"] = [group]
        if rng.random() < 0.5:
            found["units"] = rng.choice(UNITS)
        if rng.random() < 0.15 or not found:
            cgroup = rng.choice([person["cgroup"], "/**", "/*/job-*.service"])
            found["cgroups"] = [cgroup]
        return found

    def _pattern(self, route):
        rng = self.rng
        host = rng.choice(self.hosts)
        if rng.random() < 0.65:
            return host
        wild = host if rng.random() < 0.3 else host.split(".", 1)[1]
        spans_accounts = any(wild.endswith(b) for b, z in BASES.items() if z)
        if spans_accounts and route != "private":
            return host
        return f"*.{wild}"

    def _rule(self, i, workloads):
        rng = self.rng
        rule = {"id": f"{rng.choice('abz')}{i}"}
        rule["effect"] = pick(rng, (7, "allow"), (1, "deny"))
        deny = rule["effect"] == "deny"
        route = "private"
        if not deny and rng.random() < 0.15:
            # A literal, with names or without.
            pool = [*INNER, *INNER_V6, *STRANGERS, *GLOBAL]
            rule["addresses"] = rng.sample(pool, rng.randint(1, 3))
        elif not deny:
            routes = ["private", "private-address", "public"]
            route = rng.choice([*routes, "private", None])
            if route:
                rule["route"] = route
            if route == "public":
                rule["reason"] = "for the test"
            if rng.random() < 0.15:
                rule["sni"] = "any"
        elif rng.random() < 0.2:
            rule["addresses"] = rng.sample([*INNER, *GLOBAL], 2)
        if "sni" not in rule and rng.random() < 0.4:
            self._look_inside(rule)
        if "addresses" not in rule or rng.random() < 0.3:
            if "addresses" in rule:
                route = "private-address"
            count = rng.randint(1, 4)
            rule["hosts"] = sorted(
                {self._pattern(route or "private") for _ in range(count)}
            )
        if rng.random() < 0.6:
            rule["ports"] = rng.choice(PORTS)
        if rng.random() < 0.4:
            names = sorted(workloads)
            rule["workloads"] = rng.sample(names, rng.randint(1, 3))
        if rng.random() < 0.2:
            rule["expires"] = rng.choice([PAST, FUTURE])
        return rule

    def _look_inside(self, rule):
        """Conditions on requests that can be seen."""
        rng = self.rng
        if rng.random() < 0.5:
            rule["methods"] = rng.choice(METHODS)
        if rng.random() < 0.5:
            rule["paths"] = rng.choice(PATHS)
        if rule["effect"] == "allow" and rng.random() < 0.6:
            rule["deny_sas"] = True

    def _place(self):
        rng = self.rng
        place = rng.choice(pick(rng, (3, PLACES), (1, TRICKS)))
        if rng.random() < 0.4:
            place += "?" + rng.choice(QUERIES)
        return place

    def _policy(self):
        rng = self.rng
        workloads = {f"w{i}": self._workload() for i in range(6)}
        count = pick(rng, (1, 3), (3, 30), (2, 120))
        return {
            "version": 1,
            "mode": pick(rng, (4, "enforce"), (1, "report")),
            "endpoints": rng.choice(ENDPOINTS),
            "workloads": workloads,
            "rules": [self._rule(i, workloads) for i in range(count)],
        }

    # ---- requests ----

    def _spelled(self, host):
        rng = self.rng
        how = rng.random()
        if how < 0.7:
            return host
        if how < 0.8:
            return host.upper()
        if how < 0.9:
            return "".join(rng.choice((c, c.upper())) for c in host)
        return host + "."

    def _target(self):
        """(as written, canonical, resolves or None)"""
        rng = self.rng
        how = rng.random()
        if how < 0.8:
            host = rng.choice(self.hosts)
            return self._spelled(host), host, self.resolves[host]
        if how < 0.86:
            stranger = f"{self.tag}u{rng.randrange(10**6)}.example.com"
            if rng.random() < 0.5:
                host = rng.choice(self.hosts)
                stranger = f"{self.tag}u{rng.randrange(10**6)}.{host}"
            self.zone[stranger] = {"a": [INNER[0]]}
            return stranger, stranger, [INNER[0]]
        if how < 0.9:
            zone = rng.choice([z for z in BASES.values() if z])
            name = f"{self.tag}p{rng.randrange(10**6)}.{zone}"
            self.zone[name] = {"a": [INNER[0]]}
            return name, name, [INNER[0]]
        pool = [*INNER, *STRANGERS, *GLOBAL, *NEVER, *INNER_V6, *NEVER_V6]
        pool += MAPPED
        address = rng.choice(pool)
        if ":" not in address:
            return address, address, None
        return f"[{address}]", address, None

    def _cases(self, size):
        rng = self.rng
        cases, seen = [], set()
        for _ in range(size * 20):
            if len(cases) == size:
                break
            written, host, resolves = self._target()
            port = pick(rng, (6, 443), (3, 80))
            who = rng.randrange(len(self.people))
            if (host, port, who) in seen:
                continue
            seen.add((host, port, who))
            sni = host
            if rng.random() < 0.2:
                sni = rng.choice(["other.example.org", host.upper()])
            cases.append(
                {
                    "written": written,
                    "host": host,
                    "port": port,
                    "who": who,
                    "resolves": resolves,
                    "literal": host[0] in "0123456789:" or ":" in host,
                    "sni": sni,
                    "method": pick(
                        rng,
                        *((5, "GET"), (1, "HEAD"), (1, "PUT")),
                        *((1, "DELETE"), (1, "get")),
                    ),
                    "place": self._place(),
                    "ways": ["inspect"] if rng.random() < INSPECTED else [],
                }
            )
        return cases
