"""Contract 2: wayleave.json, key by key, and the listeners it makes."""

import copy
import json
import time

import pytest
from contract import check, refused, tool

from lab import daemon as lab_daemon
from lab import names, zones

LATER_SOURCES = ["app-service", "azureml", "arc", "workload-identity", "user"]

WRONG = {
    "unknown": ({"lisen": {}}, "/lisen", 'did you mean "listen"'),
    "unknown inside": (
        {"listen": {"proxi": []}},
        "/listen/proxi",
        'did you mean "proxy"',
    ),
    "letters swapped": ({"workres": 1}, 'did you mean "workers"'),
    "half a key": ({"policy": "x"}, 'did you mean "policy_file"'),
    "workers": ({"workers": 65}, "/workers", "0 to 64"),
    "negative": ({"workers": -1}, "/workers", "0 to 64"),
    "other machines": (
        {"listen": {"proxy": ["0.0.0.0:3180"]}},
        "/listen/proxy/0",
        "unsafe_listen",
    ),
    "a name": ({"listen": {"broker": ["localhost:1"]}}, "/listen/broker/0"),
    "port 0": ({"listen": {"admin": ["127.0.0.1:0"]}}, "/listen/admin/0"),
    "one address twice": (
        {"listen": {"proxy": ["127.0.0.1:1"], "admin": ["127.0.0.1:1"]}},
        "/listen/admin/0",
    ),
    "transparent": (
        {"listen": {"transparent": ["127.0.0.1:1"]}},
        "/listen/transparent",
        "not in this version",
    ),
    "dns listener": (
        {"listen": {"dns": ["127.0.0.1:1"]}},
        "/listen/dns",
        "not in this version",
    ),
    "gateways": (
        {"gateways": [{"name": "g"}]},
        "/gateways/0",
        '"upstream" is missing',
    ),
    "server name": ({"dns": {"servers": ["a.b"]}}, "/dns/servers/0"),
    "server port": ({"dns": {"servers": ["1.1.1.1:0"]}}, "/dns/servers/0"),
    "zone": (
        {"dns": {"zones": [{"suffix": ".a", "servers": ["1.1.1.1"]}]}},
        "/dns/zones/0/suffix",
    ),
    "source": (
        {"identities": [{"name": "a", "source": "imd"}]},
        "/identities/0/source",
        'did you mean "imds"',
    ),
    "two selectors": (
        {
            "identities": [
                {
                    "name": "a",
                    "source": "imds",
                    "client_id": "x",
                    "mi_res_id": "y",
                }
            ]
        },
        "/identities/0/mi_res_id",
    ),
    "on_failure": ({"audit": {"on_failure": "allow"}}, "/audit/on_failure"),
    "trust": ({"tls": {"ca_file": "nothing.pem"}}, "/tls/ca_file"),
    "version": ({"version": 2}, "/version"),
    "no policy": ({"policy_file": "nothing.json"}, "nothing.json:1:1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_its_place(tmp_path, case):
    config, *words = WRONG[case]
    line = refused(check(tmp_path, config), *words)
    if words[0].startswith("/"):
        assert line.count(words[0] + ":") == 1


@pytest.mark.parametrize("source", LATER_SOURCES)
def test_sources_of_later_versions_are_named_as_such(tmp_path, source):
    config = {"identities": [{"name": "a", "source": source}]}
    words = ["/identities/0/source", source, "not in this version"]
    refused(check(tmp_path, config), *words)


BROKEN = {
    "empty": "",
    "cut": "{",
    "list": "[]",
    "comma": '{"version": 1,}',
    "comment": '// x\n{"version": 1}',
    "quotes": "{'version': 1}",
    "more": '{"version": 1} {}',
    "duplicate": '{"version": 1,\n "version": 1}',
    "duplicate by escape": '{"version": 1,\n "\\u0076ersion": 1}',
    "nul": '{"version": 1, "name": "a\\u0000b"}',
    "no version": "{}",
}


@pytest.mark.parametrize("case", BROKEN)
def test_both_files_are_strict_json(tmp_path, case):
    refused(check(tmp_path, BROKEN[case]), "wayleave.json")
    refused(check(tmp_path, None, BROKEN[case]), "policy.json")


def test_relative_paths_start_at_the_files_folder(tmp_path):
    deep = tmp_path / "etc"
    deep.mkdir()
    assert check(deep).returncode == 0
    result = tool("check", "-c", "etc/wayleave.json", cwd=tmp_path)
    assert result.returncode == 0
    refused(check(deep, {"tls": {"ca_file": "x.pem"}}), f"{deep}/x.pem")


def asked(agent, *place, host=names.ACCT1):
    where = place[0] if len(place) == 1 else list(place)
    (answer,) = agent.probe({"host": host, "proxy": where})
    return answer.get("status")


def test_activation_tells_sockets_apart_by_their_names(agent, another):
    where = "/run/wayleave/by-name.sock"
    inherit = [f"proxy={where}", "proxy=127.0.0.1:4180"]
    inherit += ["broker=127.0.0.1:4181", "admin=127.0.0.1:4182"]
    ready, _, log = another("named", inherit)
    assert ready, log
    # The socket file is the manager's: made with its own mode.
    agent.lab.run_as("root", ["chmod", "666", where])
    assert asked(agent, where) == 200
    assert asked(agent, "127.0.0.1", 4180) == 200
    words = [
        "status",
        "--json",
        "--socket",
        "/run/wayleave/named/control.sock",
    ]
    listeners = json.loads(agent.cli(*words).out)["listeners"]
    assert listeners["proxy"] == [f"unix:{where}", "127.0.0.1:4180"]
    assert listeners["broker"] == ["127.0.0.1:4181"]
    assert listeners["admin"] == ["127.0.0.1:4182"]


@pytest.mark.parametrize(
    ("socket", "words"),
    [
        ("transparent=127.0.0.1:4190", "not in this version"),
        ("dns=127.0.0.1:4190", "not in this version"),
        ("prxy=127.0.0.1:4190", '"prxy"'),
        ("proxy=0.0.0.0:4190", "unsafe_listen"),
    ],
)
def test_a_socket_that_is_not_ours_to_serve_fails_the_start(
    another, socket, words
):
    ready, code, log = another("strange", [socket])
    assert not ready
    assert code == 78
    assert words in log


def test_without_the_library_that_fetches_tokens_the_start_fails(
    agent, another
):
    folder = "/run/wayleave/no-library"
    make = ["install", "-d", "-o", "wayleave", folder]
    assert agent.lab.run_as("root", make).code == 0
    agent.lab.write(f"{folder}/libcurl.so.4", "this is no library\n")
    ready, code, log = another("bare", env=[f"LD_LIBRARY_PATH={folder}"])
    assert not ready
    assert code == 78  # systemd does not try that again
    assert "start failed: tokens are fetched with libcurl" in log
    assert "libcurl4" in log


def test_an_absent_or_empty_list_turns_a_listener_off(agent, another):
    listen = {"control": "/run/wayleave/off/control.sock", "proxy": []}
    ready, _, log = another("off", listen=listen)
    assert ready, log
    words = ["status", "--json", "--socket", listen["control"]]
    listeners = json.loads(agent.cli(*words).out)["listeners"]
    assert [k for k, v in listeners.items() if v] == ["control"]


@pytest.mark.parametrize("workers", [0, 64])
def test_the_ends_of_the_range_of_workers_serve(agent, another, workers):
    listen = {"proxy": ["127.0.0.1:4180", "[::1]:4180"]}
    listen["control"] = "/run/wayleave/many/control.sock"
    ready, _, log = another("many", workers=workers, listen=listen)
    assert ready, log
    assert asked(agent, "127.0.0.1", 4180) == 200
    assert asked(agent, "::1", 4180) == 200


@pytest.mark.parametrize("key", ["proxy", "control"])
def test_a_taken_socket_fails_the_start_and_stays_its_owners(
    agent, another, key
):
    listen = {"control": "/run/wayleave/thief/control.sock"}
    if key == "proxy":
        listen["proxy"] = [f"unix:{lab_daemon.PROXY_SOCKET}"]
    else:
        listen["control"] = lab_daemon.CONFIG["listen"]["control"]
    _, code, log = another("thief", listen=listen)
    assert code == 69
    assert "another program has it" in log
    assert asked(agent, lab_daemon.PROXY_SOCKET) == 200
    assert agent.cli("status").code == 0


def test_zones_have_servers_of_their_own_and_names_of_the_deployment(
    agent, another
):
    dns = {"servers": ["127.0.0.98"], "timeout_ms": 200, "attempts": 1}
    suffix = "blob.core.windows.net"
    dns["zones"] = [{"suffix": suffix, "servers": [names.DNS]}]
    listen = {"proxy": ["127.0.0.1:4180"]}
    listen["control"] = "/run/wayleave/zoned/control.sock"
    ready, _, log = another("zoned", listen=listen, dns=dns, name="edge-1")
    assert ready, log
    assert asked(agent, "127.0.0.1", 4180) == 200
    request = {"host": names.VAULT, "proxy": ["127.0.0.1", 4180]}
    (answer,) = agent.probe(request)
    assert answer["status"] == 504
    assert answer["fields"]["proxy-status"].startswith("edge-1; ")


def test_the_hosts_file_and_the_environment_are_no_sources(agent, another):
    hosts = f"{names.PUBLIC} {zones.WEB}\n"
    before = agent.lab.read("/etc/hosts")
    script = f"printf %s '{before}{hosts}' > /etc/hosts"
    agent.lab.run_as("root", ["sh", "-c", script])
    try:
        assert asked(agent, "127.0.0.1", 3180, host=zones.WEB) == 200
        found = [r for r in agent.records() if r.get("host") == zones.WEB]
        assert found[-1]["address"] == names.CASES_ADDRESS
    finally:
        script = f"printf %s '{before}' > /etc/hosts"
        agent.lab.run_as("root", ["sh", "-c", script])


def test_keys_that_need_a_restart_are_reported_and_kept(agent):
    config = copy.deepcopy(lab_daemon.CONFIG)
    config["workers"] = 3
    config["listen"]["admin"] = []
    config["audit"]["file"] = "/var/log/wayleave/other.jsonl"
    before = json.loads(agent.cli("status", "--json").out)
    try:
        agent.write(config=config)
        agent.kill(1)
        time.sleep(0.5)
        after = json.loads(agent.cli("status", "--json").out)
    finally:
        agent.write(config=lab_daemon.CONFIG)
        agent.kill(1)
        time.sleep(0.5)
    for key in ("listen", "workers", "audit.file"):
        assert key in after["reload"]["message"]
    for key in ("listeners", "workers"):
        assert after[key] == before[key]
    assert after["audit"]["file"] == before["audit"]["file"]
