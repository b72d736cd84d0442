"""wayleaved under a real systemd: what the unit files promise, holds."""

import json
import time

import follower
import machine as machines
import pytest

from lab import names

UNIT = "wayleaved.service"
POLICY = "/etc/wayleave/policy.json"
DROP_INS = f"/etc/systemd/system/{UNIT}.d"
NO_CAPABILITY = "0" * 16
PTRACE_ALONE = "0000000000080000"
# A governed request by a plain user: curl's exit code, then the answer.
ASK = (
    f"curl -sS -o /dev/null -w '%{{http_code}}' -x http://127.0.0.1:3180 "
    f"https://{names.ACCT1}/"
)
# The same by a Unix socket, where the client's program is known.
LOCAL = "/run/wayleaved-local.sock"
ASK_LOCAL = ASK.replace("http://127.0.0.1:3180", f"socks5h://localhost{LOCAL}")
LOCAL_SOCKET = f"""[Socket]
Service={UNIT}
FileDescriptorName=proxy
ListenStream={LOCAL}
"""
# Each works for a program of the daemon's user outside of its unit.
PROBES = {
    "a namespace": "unshare --user true",
    "a personality": "setarch --addr-no-randomize true",
    "a program for others": "f=$(mktemp) && chmod 4755 $f && test -u $f",
    "the homes": "ls /home/",
    "the kernel": "cat /proc/version",
    "the /tmp of all": "test -e /tmp/of-all",
}


@pytest.fixture(scope="module")
def host(azure, debian):
    """A host with wayleave as the notebook recipe installs it."""
    with follower.host_of_people(azure, debian) as host:
        follower.Follower(host, "notebook-host.md").follow(1, 2)
        yield host


@pytest.fixture
def served(host):
    """The host with its stock files, and the agent up."""
    policy = host.read(POLICY)
    yield host
    host.write(POLICY, policy)
    host.must(f"rm -rf {DROP_INS}; systemctl daemon-reload")
    host.must(f"systemctl reset-failed; systemctl restart {UNIT}")


def drop_in(host, text):
    host.write(f"{DROP_INS}/test.conf", text)
    host.must("systemctl daemon-reload")


def until(condition, limit_s=15):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def generation(host):
    said = json.loads(host.must("wayleave status --json"))
    return said["policy"]["generation"]


def allow(host, *hosts):
    """The policy with one more rule, for these hosts."""
    policy = json.loads(host.read(POLICY))
    rule = {"id": "more", "effect": "allow", "hosts": list(hosts)}
    policy["rules"].append(rule)
    host.write(POLICY, json.dumps(policy))


def sound(host):
    audit = "/var/log/wayleave/audit*.jsonl"
    key = "/var/lib/wayleave/audit.pub"
    said = host.must(f"wayleave audit verify --key {key} {audit}")
    return said.startswith("sound: ")


def test_started_means_serving(served):
    served.must(f"systemctl stop {UNIT} wayleaved.socket")
    ready = "curl -sSf http://127.0.0.1:3182/readyz"
    served.must(f"systemctl start {UNIT} && {ready}")
    said = served.show(UNIT, "Type", "StatusText", "WatchdogUSec")
    assert said["Type"].startswith("notify")
    assert said["StatusText"] == "serving"
    assert said["WatchdogUSec"] == "15s"
    served.must(f"systemctl stop {UNIT}; systemctl start wayleaved.socket")


def test_a_policy_that_does_not_load_is_not_tried_again(served):
    served.write(POLICY, "{")
    done = served.run(f"systemctl restart {UNIT}")
    assert done.code != 0
    said = served.show(UNIT, "ExecMainStatus", "NRestarts", "ActiveState")
    assert said == {
        "ExecMainStatus": "78",
        "NRestarts": "0",
        "ActiveState": "failed",
    }
    assert f"{POLICY}:1:" in served.journal(UNIT)


def test_reload_brings_the_new_policy(served):
    pid = served.show(UNIT, "MainPID")
    assert served.run(ASK.replace("acct1", "acct2"), user="alice").code == 56
    before = generation(served)
    allow(served, names.ACCT2)
    served.must(f"systemctl reload {UNIT}")
    until(lambda: generation(served) > before)
    served.must(ASK.replace("acct1", "acct2"), user="alice")
    assert served.show(UNIT, "MainPID") == pid


def test_where_the_manager_knows_it_reload_ends_when_the_policy_decides(
    served,
):
    version = int(served.must("systemctl --version").split()[1])
    stock = "/usr/share/wayleave/wayleaved-notify-reload.conf"
    if version < 253:
        # The drop-in is not for this manager, and the unit says so.
        assert served.show(UNIT, "Type") == "notify"
        return
    drop_in(served, served.read(stock))
    served.must(f"systemctl restart {UNIT}")
    for _ in range(5):
        before = generation(served)
        served.must(f"systemctl reload {UNIT}")
        assert generation(served) > before


def test_a_bad_reload_keeps_the_good_policy_and_says_so(served):
    before = generation(served)
    served.write(POLICY, "{")
    served.must(f"systemctl reload {UNIT}")
    until(lambda: f"{POLICY}:1:" in served.journal(UNIT))
    assert generation(served) == before
    served.must(ASK, user="alice")


def test_a_hung_daemon_is_ended_by_the_watchdog_and_started_again(served):
    drop_in(served, "[Service]\nWatchdogSec=1\nTimeoutAbortSec=1\n")
    served.must(f"systemctl restart {UNIT}")
    pid = served.show(UNIT, "MainPID")
    time.sleep(2.5)
    assert served.show(UNIT, "MainPID", "NRestarts") == {
        "MainPID": pid,
        "NRestarts": "0",
    }
    served.must(f"kill -STOP {pid}")
    until(lambda: served.show(UNIT, "NRestarts") == "1")
    until(lambda: served.show(UNIT, "ActiveState") == "active")
    assert "Watchdog timeout" in served.journal(UNIT)
    served.must(ASK, user="alice")


def test_a_killed_daemon_is_started_again_and_its_audit_is_sound(served):
    served.must(ASK, user="alice")
    before = served.show(UNIT, "MainPID")
    served.must(f"systemctl kill --signal=KILL {UNIT}")
    until(lambda: served.show(UNIT, "NRestarts") == "1")
    until(lambda: served.show(UNIT, "ActiveState") == "active")
    assert served.show(UNIT, "MainPID") != before
    served.must(ASK, user="alice")
    assert sound(served)


def test_the_first_client_starts_the_agent(served):
    served.must(f"systemctl stop {UNIT}")
    assert served.show(UNIT, "ActiveState") == "inactive"
    served.must(ASK, user="alice")
    assert served.show(UNIT, "ActiveState") == "active"


def test_the_first_token_starts_the_agent(served):
    eve = 'eval "$(wayleave env)"'
    ask = (
        'curl -sSf -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" '
        '"$IDENTITY_ENDPOINT?api-version=2019-08-01&resource='
        f'{names.STORAGE_AUDIENCE}"'
    )
    stop = f"sudo systemctl stop {UNIT}"
    served.must("usermod -aG sudo alice")
    served.write(
        "/etc/sudoers.d/alice", "alice ALL=(ALL) NOPASSWD:ALL\n", mode=0o440
    )
    said = served.must(f"{eve}; {stop}; {ask}", user="alice")
    assert '"access_token"' in said


def test_no_client_is_refused_while_the_agent_is_restarted(served):
    loop = (
        "n=0; while [ $n -lt 40 ]; do n=$((n + 1)); "
        f"{ASK} || echo FAILED; done"
    )
    done = served.run(
        f"{{ sleep 0.3; sudo systemctl restart {UNIT}; }} & {loop}; wait",
        user="alice",
    )
    assert done.out.count("401") == 40, done
    assert "FAILED" not in done.out


def test_stop_drains_and_the_audit_says_so(served):
    served.must(f"systemctl stop {UNIT}")
    said = served.show(UNIT, "Result", "ExecMainStatus")
    assert said == {"Result": "success", "ExecMainStatus": "0"}
    last = [
        json.loads(x)["event"]
        for x in served.read(machines.AUDIT).splitlines()[-2:]
    ]
    assert last == ["stop", "checkpoint"]
    assert sound(served)


def test_the_exposure_is_as_low_as_promised_on_the_running_unit(served):
    served.must(f"systemd-analyze security --no-pager --threshold=15 {UNIT}")


def test_the_process_has_no_right_but_its_own(served):
    status = served.status_of(UNIT)
    own = served.must("id -u wayleave").strip()
    group = served.must("id -g wayleave").strip()
    assert status["Uid"].split() == [own] * 4
    assert status["Gid"].split() == [group] * 4
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert status[name] == NO_CAPABILITY, name
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    # The unit's filters and the daemon's own come on top of the manager's.
    outer = dict(
        x.split(":\t", 1)
        for x in served.enter(["cat", "/proc/1/status"]).out.splitlines()
    )
    own_filters = int(status["Seccomp_filters"])
    assert own_filters >= int(outer["Seccomp_filters"]) + 2


def limits_of(host, pid):
    """name -> soft and hard limit."""
    text = host.enter(["cat", f"/proc/{pid}/limits"]).out
    return {x[:26].strip(): x[26:].split()[:2] for x in text.splitlines()[1:]}


def test_the_process_has_its_limits_and_locked_memory(served):
    found = limits_of(served, served.show(UNIT, "MainPID"))
    # No more than the machine under it has, where that may raise none.
    most = limits_of(served, 1)
    assert found["Max core file size"] == ["0", "0"]
    for name, wanted in (
        ("Max open files", 65536),
        ("Max locked memory", 16777216),
    ):
        ceiling = most[name][1]
        if ceiling != "unlimited":
            wanted = min(wanted, int(ceiling))
        assert found[name] == [str(wanted)] * 2, name
    assert "not locked" not in served.journal(UNIT)


def test_what_a_program_of_the_daemon_could_do_the_unit_forbids(served):
    script = "\n".join(
        f"if ( {probe} ) >/dev/null 2>&1; then echo '{name}'; fi"
        for name, probe in PROBES.items()
    )
    served.write("/usr/local/bin/probe", f"#!/bin/sh\n{script}\n", mode=0o755)
    served.must("touch /tmp/of-all")
    outside = served.must("/usr/local/bin/probe", user="wayleave")
    assert outside.splitlines() == list(PROBES)
    drop_in(
        served,
        "[Service]\nExecStartPre=/bin/sh -c 'cd /var/lib/wayleave && "
        "TMPDIR=$PWD /usr/local/bin/probe >probed'\n",
    )
    served.must(f"systemctl restart {UNIT}")
    assert served.read("/var/lib/wayleave/probed") == ""


def test_exes_in_a_policy_need_the_drop_in_and_nothing_more(served):
    policy = json.loads(served.read(POLICY))
    policy["workloads"]["curl"] = {"exes": ["/usr/bin/curl"]}
    for rule in policy["rules"]:
        rule["workloads"] = ["curl"]
    served.write(POLICY, json.dumps(policy))
    served.write("/etc/systemd/system/wayleaved-local.socket", LOCAL_SOCKET)
    assert served.run(f"systemctl restart {UNIT}").code != 0
    assert served.show(UNIT, "ExecMainStatus") == "78"
    drop_in(served, served.read("/usr/share/wayleave/wayleaved-exe.conf"))
    served.must("systemctl start wayleaved-local.socket")
    served.must(f"systemctl restart {UNIT}")
    served.must(ASK_LOCAL, user="alice")
    served.must("cp /usr/bin/curl /usr/local/bin/other")
    other = ASK_LOCAL.replace("curl", "/usr/local/bin/other", 1)
    assert served.run(other, user="alice").code == 97
    status = served.status_of(UNIT)
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert status[name] == PTRACE_ALONE, name
    served.must("systemctl stop wayleaved-local.socket")


def test_the_user_and_the_folders_are_the_package_s(host):
    name, _, uid, _, _, home, shell = (
        host.must("getent passwd wayleave").strip().split(":")
    )
    assert (name, home) == ("wayleave", "/var/lib/wayleave")
    assert 0 < int(uid) < 1000
    assert shell == "/usr/sbin/nologin"
    said = host.must(
        "stat -c '%U %a %n' /var/lib/wayleave /var/log/wayleave "
        "/run/wayleave /var/lib/wayleave/audit.key"
    )
    assert said.splitlines() == [
        "wayleave 750 /var/lib/wayleave",
        "wayleave 750 /var/log/wayleave",
        "wayleave 755 /run/wayleave",
        "wayleave 600 /var/lib/wayleave/audit.key",
    ]
    assert host.run(f"cat {machines.AUDIT}", user="alice").code != 0


def test_after_a_boot_all_is_as_it_was(host):
    before = len(host.read(machines.AUDIT).splitlines())
    host.poweroff()
    host.boot()
    assert host.show(UNIT, "ActiveState") == "active"
    host.must("wayleave wait --timeout 10", user="alice")
    host.must(ASK, user="alice")
    assert len(host.read(machines.AUDIT).splitlines()) > before
    assert sound(host)
    assert host.enter(["systemctl", "--failed", "--plain", "-q"]).out == ""
