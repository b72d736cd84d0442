"""Contract 3: policy.json, sentence by sentence."""

import json
import signal
import time

import pytest
from contract import check, refused, rule, tool

from lab import daemon as lab_daemon
from lab import names, services, zones

BLOB = "blob.core.windows.net"
ACCOUNTS = [
    f"*.{BLOB}",
    "*.core.windows.net",
    "*.windows.net",
    "*.dfs.core.windows.net",
    "*.vault.azure.net",
    "*.azure.net",
    "*.azurecr.io",
    "*.database.windows.net",
    "*.openai.azure.com",
    "*.workspace.westeurope.api.azureml.ms",
    "*.inference.ml.azure.com",
    "*.azuredatabricks.net",
    "*.7.azuredatabricks.net",
    "*.z06.blob.storage.azure.net",
    "*.westeurope.kusto.windows.net",
    "*.blob.core.usgovcloudapi.net",
    "*.blob.core.chinacloudapi.cn",
    "*.s3.amazonaws.com",
]


@pytest.mark.parametrize("host", ACCOUNTS)
def test_wildcards_over_accounts_need_the_private_route(tmp_path, host):
    for route in ({"route": "public", "reason": "x"}, {"sni": "any"}):
        members = rule(hosts=[host], **route)
        result = check(tmp_path, None, {"rules": [members]})
        if "route" in route:
            refused(result, "/rules/0/hosts/0", "anyone's account")
        else:
            assert result.returncode == 0
            assert f'warning: /rules/0/hosts/0: "{host}"' in result.stderr
    members = rule(hosts=[host], route="private-address")
    refused(check(tmp_path, None, {"rules": [members]}), "anyone's account")


WRONG_RULES = {
    "bare star": ({"hosts": ["*"]}, "/rules/0/hosts/0"),
    "star and one label": ({"hosts": ["*.net"]}, "/rules/0/hosts/0"),
    "star within": ({"hosts": ["a.*.net"]}, "/rules/0/hosts/0"),
    "half a label": ({"hosts": ["a*.b.net"]}, "/rules/0/hosts/0"),
    "not ASCII": ({"hosts": ["\u00e9.example"]}, "/rules/0/hosts/0"),
    "trailing dot": ({"hosts": ["a.b."]}, "trailing dot"),
    "privatelink": (
        {"hosts": [f"acct1.privatelink.{BLOB}"]},
        f'"acct1.{BLOB}"',
    ),
    "address as host": ({"hosts": ["10.20.0.5"]}, '"addresses"'),
    "port": ({"ports": [0]}, "/rules/0/ports/0"),
    "port as text": ({"ports": ["443"]}, "/rules/0/ports/0"),
    "public without reason": ({"route": "public"}, '"reason"'),
    "route": ({"route": "any"}, "/rules/0/route"),
    "deny with route": (
        {"effect": "deny", "route": "private"},
        "/rules/0/route",
    ),
    "expires": ({"expires": "tomorrow"}, "/rules/0/expires"),
    "sni": ({"sni": "none"}, "/rules/0/sni"),
    "never-class": (
        {"addresses": ["169.254.169.254"]},
        "/rules/0/addresses/0",
    ),
    "addresses and route": (
        {"addresses": ["10.20.0.9"], "route": "public", "reason": "x"},
        "/rules/0/route",
    ),
    "unknown workload": ({"workloads": ["x"]}, "/rules/0/workloads/0"),
    "unknown key": ({"host": []}, "/rules/0/host", '"hosts"'),
}


@pytest.mark.parametrize("case", WRONG_RULES)
def test_a_wrong_rule_is_refused_with_its_place(tmp_path, case):
    members, *words = WRONG_RULES[case]
    refused(check(tmp_path, None, {"rules": [rule(**members)]}), *words)


NEVER = ["0.0.0.0/0", "::/0", "10.20.0.1/16", "10.20.0.5", "127.0.0.0/8"]
NEVER += ["169.254.0.0/16", "168.63.129.16/32", "160.0.0.0/3", "224.0.0.0/4"]
NEVER += ["64:ff9b::/96", "2002::/16", "2001::/32", "fe80::/10", "::1/128"]


@pytest.mark.parametrize("cidr", NEVER)
def test_endpoints_never_cover_what_is_never_reached(tmp_path, cidr):
    result = check(tmp_path, None, {"endpoints": ["10.0.0.0/8", cidr]})
    refused(result, "/endpoints/1", f'"{cidr}"')


WRONG_REST = {
    "mode": ({"mode": "off"}, "/mode"),
    "no condition": ({"workloads": {"a": {}}}, "/workloads/a"),
    "same id": ({"rules": [rule(), rule()]}, "/rules/1/id"),
    "audience with a glob": (
        {
            "workloads": {"a": {"users": ["root"]}},
            "tokens": [
                {
                    "id": "t",
                    "workloads": ["a"],
                    "audiences": ["https://*.azure.net"],
                }
            ],
        },
        "/tokens/0/audiences/0",
    ),
    "phantom": (
        {
            "workloads": {"a": {"users": ["root"]}},
            "tokens": [
                {
                    "id": "t",
                    "workloads": ["a"],
                    "audiences": ["https://a/"],
                    "form": "phantom",
                }
            ],
        },
        "/tokens/0/audiences/0",
        "no rule injects",
    ),
    "test of nothing": (
        {"tests": [{"request": {}, "expect": "allow"}]},
        "/tests/0/request",
    ),
    "test of an unknown code": (
        {
            "tests": [
                {
                    "request": {"connect": "a.b:443"},
                    "expect": "deny",
                    "code": "NO",
                }
            ]
        },
        "/tests/0/code",
    ),
}


@pytest.mark.parametrize("case", WRONG_REST)
def test_the_rest_of_the_file_is_as_strict(tmp_path, case):
    policy, *words = WRONG_REST[case]
    refused(check(tmp_path, None, policy), *words)


def test_unknown_users_and_groups_are_warnings_with_a_place(tmp_path):
    policy = {
        "workloads": {
            "a": {"users": ["root", "no-such-user"]},
            "b": {"groups": ["no-such-group"]},
        }
    }
    result = check(tmp_path, None, policy)
    assert result.returncode == 0
    for pointer in ("/workloads/a/users/1", "/workloads/b/groups/0"):
        (line,) = [x for x in result.stderr.splitlines() if pointer in x]
        assert "warning" in line
        assert ":1:1:" not in line


# ---- the verdict ----------------------------------------------------------


@pytest.fixture
def rules(agent):
    """Puts rules in force; the lab's own come back afterwards."""

    def put(*members, **more):
        policy = lab_daemon.policy()
        policy["rules"] = list(members)
        policy["workloads"].update(more.pop("workloads", {}))
        policy.update(more)
        agent.reload(policy)

    yield put
    agent.reload(lab_daemon.policy())


def verdict(agent, host=zones.WEB, **how):
    """(code of the refusal or None, the rule in the record)."""
    port = how.pop("port", 443)
    (answer,) = agent.probe({"host": host, "port": port}, **how)
    found = [r for r in agent.records() if r.get("host") == host][-1]
    if answer["status"] == 200:
        return None, found["rule"]
    code = json.loads(answer["body"])["code"]
    assert found["code"] == code
    return code, found["rule"]


ADDRESS = {"effect": "allow", "route": "private-address"}


def test_one_of_several_allowing_rules_names_the_record(agent, rules):
    both = {"w": {"users": ["alice"]}, "v": {"groups": ["alice"]}}
    exact = {"hosts": [zones.WEB], **ADDRESS}
    longer = {"hosts": ["*.corp.lab.example"], **ADDRESS}
    shorter = {"hosts": ["*.lab.example"], **ADDRESS}
    for first, second in (
        (exact, longer),
        (longer, shorter),
        ({**exact, "workloads": ["w"]}, exact),
        ({**exact, "workloads": ["w"]}, {**exact, "workloads": ["v", "w"]}),
    ):
        rules({"id": "z", **first}, {"id": "a", **second}, workloads=both)
        assert verdict(agent) == (None, "z")
    rules({"id": "z", **exact}, {"id": "a", **exact})
    assert verdict(agent) == (None, "a")


def test_the_strictest_route_of_the_allowing_rules_applies(agent, rules):
    loose = {"id": "a", "hosts": [zones.WEB], **ADDRESS}
    strict = {"id": "b", "effect": "allow", "hosts": ["*.lab.example"]}
    rules(loose)
    assert verdict(agent)[0] is None
    rules(loose, strict)
    assert verdict(agent)[0] == "NO_PRIVATE_ZONE"


def test_deny_beats_allow_in_any_order_until_it_expires(agent, rules):
    allow = {"id": "a", "hosts": [zones.WEB], **ADDRESS}
    deny = {"id": "d", "effect": "deny", "hosts": ["*.lab.example"]}
    for pair in ((allow, deny), (deny, allow)):
        rules(*pair)
        assert verdict(agent) == ("RULE_DENIES", "d")
    rules(allow, {**deny, "expires": "2020-01-01T00:00:00Z"})
    assert verdict(agent) == (None, "a")
    rules({**allow, "expires": "2020-01-01T00:00:00+01:00"})
    assert verdict(agent)[0] == "EXCEPTION_EXPIRED"


CONDITIONS = {
    "user": ({"users": ["alice"]}, ["alice", "alice job"]),
    "uid": ({"users": [1001]}, None),
    "group": ({"groups": ["bob"]}, ["bob", "bob job"]),
    "unit": ({"units": ["job-?.service"]}, ["alice job", "bob job"]),
    "user and unit": (
        {"users": ["bob"], "units": ["job-*.service"]},
        ["bob job"],
    ),
    "cgroup": ({"cgroups": ["/*/job-1.service"]}, ["alice job", "bob job"]),
    "other cgroup": ({"cgroups": ["/job-1.service"]}, []),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_all_given_conditions_must_hold(agent, rules, case):
    conditions, fitting = CONDITIONS[case]
    if case == "uid":
        uid = int(agent.lab.run_as("alice", ["id", "-u"]).out)
        conditions, fitting = {"users": [uid]}, ["alice", "alice job"]
    rules(
        {"id": "a", "hosts": [zones.WEB], "workloads": ["w"], **ADDRESS},
        workloads={"w": conditions},
    )
    for user in ("alice", "bob"):
        for unit in ("session.scope", "job-1.service"):
            name = user + (" job" if unit.startswith("job") else "")
            code, _ = verdict(agent, user=user, unit=unit)
            allowed = name in fitting
            assert code == (None if allowed else "WORKLOAD_NOT_ALLOWED")


UNITS = {
    "job-1.service": "job-1.service",
    "system.slice/job-1.service/part": "job-1.service",
    "user.slice/user-9.slice/user@9.service/app.slice/job-1.service": (
        "user@9.service"
    ),
    "x.scope/job-1.service": "x.scope",
    "a.slice": None,
}


def test_the_unit_is_the_outermost_service_or_scope(agent):
    for path, unit in UNITS.items():
        agent.probe({"host": names.ACCT1}, unit=path)
        assert agent.last_record()["workload"]["unit"] == unit


@pytest.mark.parametrize("mode", ["enforce", "report"])
def test_uid_65534_is_nobody_in_both_modes(agent, rules, mode):
    rules({"id": "a", "hosts": [zones.WEB], **ADDRESS}, mode=mode)
    assert verdict(agent, user="nobody")[0] == "WORKLOAD_NOT_ALLOWED"
    record = agent.last_record()
    assert record["verdict"] == "deny"
    assert record["workload"]["uid"] is None


def test_addresses_imply_their_route_and_let_every_protocol_through(
    agent, rules
):
    address = names.CASES_ADDRESS
    listed = {"id": "a", "effect": "allow", "addresses": [address]}
    rules({**listed, "ports": [80]})
    plain = "GET / HTTP/1.0\r\n\r\n"
    (answer,) = agent.probe({"host": address, "port": 80, "raw": plain})
    assert answer["status"] == 200
    assert answer["after"].startswith("HTTP/1.")
    assert verdict(agent, names.ENDPOINTS[names.ACCT1])[0] == "IP_LITERAL"
    rules(listed, endpoints=["10.21.0.0/16"])
    assert verdict(agent, address)[0] == "UNEXPECTED_PRIVATE"
    rules({**listed, "addresses": [names.OWN]})
    assert verdict(agent, names.OWN)[0] == "SELF"


REPORTED = {
    "WORKLOAD_NOT_ALLOWED": names.ACCT2,
    "PUBLIC_ADDRESS": names.LOGIN,
    "MIXED_ADDRESSES": zones.HOSTILE["71-mixed"][0],
    "NO_PRIVATE_ZONE": zones.ROUTES["R7"][0],
    "WRONG_ZONE": zones.HOSTILE["73-wrong-zone"][0],
    "RULE_DENIES": zones.ROUTES["R3"][0],
    "EXCEPTION_EXPIRED": names.VAULT,
    "HOST_NOT_ALLOWED": zones.PLAIN_HOSTS[1],
}
STILL_DENIED = {
    "RESERVED_ADDRESS": zones.HOSTILE["77-imds"][0],
    "SELF": zones.HOSTILE["78-self"][0],
    "CHAIN_BROKEN": zones.HOSTILE["76-loop"][0],
    "DNS_NXDOMAIN": zones.ROUTES["R4"][0],
    "IP_LITERAL": "10.20.0.5",
    "PRIVATELINK_NAME": f"acct1.privatelink.{BLOB}",
}


def test_report_mode_passes_what_its_list_names_and_records_it(agent, rules):
    cases = [zones.ROUTES[k][0] for k in ("R3", "R4", "R7")]
    cases += [h for h, _ in zones.HOSTILE.values()]
    rules(
        {"id": "bob", "workloads": ["bob"], **rule(hosts=[names.ACCT2])}
        | {"id": "bob"},
        {**rule(hosts=cases), "id": "cases"},
        {**rule(hosts=[names.LOGIN]), "id": "entra"},
        {"id": "no", "effect": "deny", "hosts": [zones.ROUTES["R3"][0]]},
        {
            **rule(hosts=[names.VAULT], expires="2020-01-01T00:00:00Z"),
            "id": "old",
        },
        mode="report",
    )
    for code, host in REPORTED.items():
        (answer,) = agent.probe({"host": host})
        assert answer["status"] == 200, (code, answer)
        for record in [r for r in agent.news() if r.get("host") == host][-2:]:
            seen = [record[k] for k in ("mode", "verdict", "would", "code")]
            assert seen == ["report", "allow", "deny", code]
        result = agent.cli("why", host, "--json")
        assert result.code == 1
        word = json.loads(result.out)
        assert (word["verdict"], word["mode"]) == ("deny", "report")
        assert word["code"] == code
    for code, host in STILL_DENIED.items():
        assert verdict(agent, host)[0] == code
    (answer,) = agent.probe({"host": zones.ROUTES["R7"][0], "sni": "a.b"})
    assert answer["status"] == 200
    query = ["audit", "query", "--would", "deny"]
    query += ["--group-by", "host,workload", lab_daemon.AUDIT]
    table = agent.cli(*query, user="root")
    assert table.code == 0
    for host in REPORTED.values():
        assert host in table.out


def test_why_gives_the_enforce_verdict_of_names_that_do_not_exist(
    agent, rules
):
    rules(mode="report")
    word = agent.cli("why", "nowhere.lab.example", "--json")
    assert json.loads(word.out)["code"] == "HOST_NOT_ALLOWED"


# ---- reload ---------------------------------------------------------------

BAD = {
    "cut": "{",
    "wrong": '{"version": 1, "mode": "off"}',
    "exes": '{"version": 1, "workloads": {"e": {"exes": ["/bin/*"]}}}',
}


@pytest.mark.parametrize("case", BAD)
def test_a_failed_reload_is_told_everywhere_and_changes_nothing(agent, case):
    before = agent.generation()
    agent.lab.write(lab_daemon.ETC / "policy.json", BAD[case])
    try:
        agent.kill(signal.SIGHUP)
        time.sleep(0.5)
        status = json.loads(agent.cli("status", "--json").out)
        assert status["reload"]["ok"] is False
        assert status["policy"]["generation"] == before
        assert "failed" in agent.cli("status").out
        assert f"generation {before} stays in force" in agent.journal()
        record = agent.last_record()
        assert (record["event"], record["ok"]) == ("reload", False)
        assert verdict(agent, names.ACCT1)[0] is None
    finally:
        agent.reload(lab_daemon.policy())


def test_a_failed_load_at_start_is_78(agent):
    agent.stop()
    try:
        for text in BAD.values():
            agent.lab.write(lab_daemon.ETC / "policy.json", text)
            argv = [lab_daemon.DAEMON, "-c", lab_daemon.ETC / "wayleave.json"]
            result = agent.lab.run_as("wayleave", argv, timeout_s=10)
            assert result.code == 78, result
    finally:
        agent.write(rules=lab_daemon.policy())
        agent.start()


def test_an_expires_that_passes_ends_open_tunnels(agent, rules):
    ends = int(time.time()) + 3
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
    host = {"hosts": [zones.ECHO], "ports": [services.ECHO_PORT]}
    rules({"id": "echo", **host, **ADDRESS, "expires": at})
    code = (
        "import socket, time\n"
        "s = socket.create_connection(('127.0.0.1', 3180))\n"
        f"h = '{zones.ECHO}:{services.ECHO_PORT}'\n"
        "s.sendall(f'CONNECT {h} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'.encode())\n"
        "assert b' 200 ' in s.recv(200)\n"
        "s.settimeout(8)\n"
        "assert s.recv(1) == b''\n"
        "print(time.time())\n"
    )
    result = agent.lab.run_as("alice", ["/usr/bin/python3", "-c", code])
    assert result.code == 0, result
    assert ends - 0.1 <= float(result.out) <= ends + 1.5
    record = agent.last_record()
    assert record["code"] == "EXCEPTION_EXPIRED"
    assert record["close"] == "policy"


# ---- tests in the policy --------------------------------------------------

CONTRACT = {
    "version": 1,
    "endpoints": ["10.20.0.0/16"],
    "rules": [
        {
            "id": "lake",
            "effect": "allow",
            "hosts": [names.ACCT1],
            "ports": [443],
        },
        {"id": "no-2", "effect": "deny", "hosts": [names.ACCT2]},
    ],
}
LAKE = {"resolves": [f"acct1.privatelink.{BLOB}", "10.20.0.5"]}


def policy_test(folder, *tests):
    path = folder / "p.json"
    path.write_text(json.dumps({**CONTRACT, "tests": list(tests)}))
    return tool("policy", "test", path)


def test_policy_test_prints_tap_and_the_share_of_rules(tmp_path):
    good = {
        "request": {"url": f"https://{names.ACCT1}/", **LAKE},
        "expect": "allow",
        "rule": "lake",
    }
    bad = {"request": {"connect": f"{names.ACCT2}:443"}, "expect": "allow"}
    result = policy_test(tmp_path, good)
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[:2] == ["TAP version 13", "1..1"]
    assert lines[2].startswith("ok 1 ")
    assert "# rules covered: 1 of 2 (50%)" in lines
    assert "# mode: enforce" in lines
    result = policy_test(tmp_path, good, bad)
    assert result.returncode == 1
    assert "not ok 2 " in result.stdout
    assert "RULE_DENIES" in result.stdout
    assert "# rules covered: 2 of 2 (100%)" in result.stdout


def test_without_resolves_a_test_sees_the_name_phase_only(tmp_path):
    request = {"url": f"https://{names.ACCT1}/"}
    test = {"request": request, "expect": "allow"}
    assert policy_test(tmp_path, test).returncode == 0
    public = {**request, "resolves": ["20.1.1.1"]}
    test = {"request": public, "expect": "deny", "code": "PUBLIC_ADDRESS"}
    assert policy_test(tmp_path, test).returncode == 0


def test_a_batch_answers_each_line_and_outlives_the_bad_ones(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(CONTRACT))
    lines = [
        json.dumps({"url": f"https://{names.ACCT1}/", **LAKE}),
        "[",
        '["\\\U0001f602"]',
        json.dumps({"connect": f"{names.ACCT2}:443"}),
    ]
    text = "\n".join(lines) + "\n"
    result = tool("why", "--batch", "--policy", path, text=text)
    assert result.returncode == 65
    found = [json.loads(x) for x in result.stdout.splitlines()]
    assert [x.get("verdict") for x in found] == ["allow", None, None, "deny"]
    assert found[3]["code"] == "RULE_DENIES"


def test_why_takes_what_people_paste(agent):
    for target in (
        f"HTTPS://{names.ACCT1.upper()}/c/b?sig=x#part",
        f"{names.ACCT1}.",
        f"{names.ACCT1}:443",
    ):
        assert agent.cli("why", target).code == 0
    listed = f"acct1.privatelink.{BLOB}, 10.20.0.5"
    words = ["why", names.ACCT1, "--resolves", listed]
    words += ["-c", lab_daemon.ETC / "wayleave.json"]
    assert agent.cli(*words, user="wayleave").code == 0
    later = ["why", names.ACCT1, "--at", "2026-11-23T10:00:00+01:00"]
    assert agent.cli(*later).code == 0
    metadata = "http://169.254.169.254/metadata/instance"
    word = agent.cli("why", metadata, "--json")
    assert json.loads(word.out)["code"] == "METADATA_PROXIED"
