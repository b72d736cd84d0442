"""A daemon of the test's own, and what it and the tools say."""

import grp
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from .. import paths
from ..daemon import CLI, DAEMON

ROOT = Path("/run/wayleave-differ")
PROXY = ("127.0.0.1", 3280)
DNS = ("127.0.0.1", 5300)
CONTROL = ROOT / "run" / "control.sock"
AUDIT = ROOT / "log" / "audit.jsonl"
LOG = ROOT / "daemon.log"
POLICY = ROOT / "etc" / "policy.json"
CONFIG = {
    "version": 1,
    "listen": {"proxy": ["127.0.0.1:3280"], "control": str(CONTROL)},
    "workers": 1,
    "policy_file": "policy.json",
    "state_dir": str(ROOT / "state"),
    "runtime_dir": str(ROOT / "run"),
    "cgroup_root": str(paths.CGROUP),
    "dns": {"servers": ["127.0.0.1:5300"], "timeout_ms": 2000},
    "tls": {"ca_file": str(paths.CA_FILE)},
    "identities": [],
    "audit": {"file": str(AUDIT)},
    "log": {"level": "warning"},
}
UNITS = [
    ("alice", "job-1.service"),
    ("alice", "session.scope"),
    ("bob", "job-2.service"),
    ("bob", "user.slice/user-9.slice/user@9.service/app.slice/nb.scope"),
]


def people():
    """Who asks: the facts as the kernel and the user database have them."""
    found = []
    for user, place in UNITS:
        entry = pwd.getpwnam(user)
        gids = os.getgrouplist(user, entry.pw_gid)
        cgroup = f"/differ-{os.getpid()}/{place}"
        unit = next(
            p for p in place.split("/") if p.endswith((".service", ".scope"))
        )
        found.append(
            {
                "user": user,
                "groups": [grp.getgrgid(g).gr_name for g in gids],
                "unit": unit,
                "cgroup": cgroup,
            }
        )
    return found


class Asker:
    """One workload's client: see live.py."""

    def __init__(self, person):
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "lab.differ.live", person["user"]),
                f"{paths.CGROUP}{person['cgroup']}",
                *(PROXY[0], str(PROXY[1])),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, cases):
        self.process.stdin.write(json.dumps(cases) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Agent:
    """Runs it as its own user; a context manager that ends it."""

    def __init__(self, policy):
        for name in ("etc", "state", "run", "log"):
            folder = ROOT / name
            folder.mkdir(parents=True, exist_ok=True)
            if name != "etc":
                entry = pwd.getpwnam("wayleave")
                os.chown(folder, entry.pw_uid, entry.pw_gid)
                folder.chmod(0o755)
        (ROOT / "etc" / "wayleave.json").write_text(json.dumps(CONFIG))
        POLICY.write_text(json.dumps(policy))
        argv = ["setpriv", "--reuid", "wayleave", "--regid", "wayleave"]
        argv += ["--init-groups", "--", str(DAEMON), "-c"]
        with open(LOG, "wb") as log:
            self.process = subprocess.Popen(
                [*argv, str(ROOT / "etc" / "wayleave.json")],
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        self.read = 0
        end = time.monotonic() + 10
        while not self.generation():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("no start: " + LOG.read_text()[-2000:])
            time.sleep(0.05)

    def call(self, **question):
        """One question on the control socket."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(str(CONTROL))
            sock.sendall(json.dumps(question).encode() + b"\n")
            with sock.makefile("rb") as stream:
                return json.loads(stream.readline())

    def generation(self):
        try:
            return self.call(verb="status")["policy"]["generation"]
        except (OSError, KeyError, ValueError):
            return 0

    def reload(self, policy):
        before = self.generation()
        fresh = POLICY.with_suffix(".new")
        fresh.write_text(json.dumps(policy))
        fresh.rename(POLICY)
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while self.generation() == before:
            if time.monotonic() > end:
                errors = [
                    line
                    for line in LOG.read_text().splitlines()
                    if "warning" not in line
                ]
                raise RuntimeError("no reload: " + "\n".join(errors[-9:]))
            time.sleep(0.01)

    def records(self):
        """What came since the last call."""
        with open(AUDIT, "rb") as f:
            f.seek(self.read)
            data = f.read()
        data = data[: data.rfind(b"\n") + 1]
        self.read += len(data)
        return [json.loads(line) for line in data.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


def tool(*words, given=""):
    """A verb of the command line; its output."""
    found = subprocess.run(
        [str(CLI), *words],
        check=False,
        input=given,
        capture_output=True,
        text=True,
    )
    if found.returncode not in (0, 1, 65):
        raise RuntimeError(f"{words}: exit {found.returncode}: {found.stderr}")
    return found.stdout
