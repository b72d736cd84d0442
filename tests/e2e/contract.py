"""What the tests of the contract share: the tool run on files of ours."""

import copy
import json
import os
import re
import subprocess
import time

from lab import daemon as lab_daemon
from lab import paths

BUILD = paths.REPO / os.environ.get("WAYLEAVE_BUILD", "build")
PLACE = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): .")


def tool(*words, text=None, cwd=None, env=None):
    """Run wayleave without a lab and without a daemon."""
    return subprocess.run(
        [BUILD / "wayleave", *map(str, words)],
        input=text,
        text=True,
        capture_output=True,
        cwd=cwd,
        env=env,
        timeout=20,
        check=False,
    )


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value, indent=1)


def check(folder, config=None, policy=None):
    """`wayleave check` of two files: objects to add to, or whole texts."""
    if not isinstance(config, str):
        config = {"version": 1, **(config or {})}
    if not isinstance(policy, str):
        policy = {"version": 1, **(policy or {})}
    (folder / "wayleave.json").write_text(text_of(config))
    (folder / "policy.json").write_text(text_of(policy))
    return tool("check", "-c", folder / "wayleave.json")


def refused(result, *words):
    """78, with a place and all the words in one of its lines."""
    assert result.returncode == 78, result
    for line in result.stderr.splitlines():
        if PLACE.match(line) and all(w in line for w in words):
            return line
    raise AssertionError(f"{words} not in: {result.stderr}")


def rule(**members):
    host = "acct1.blob.core.windows.net"
    return {"id": "r", "effect": "allow", "hosts": [host], **members}


# name=address:port or name=/path, then the daemon: as a service manager does.
INHERIT = """
import os, socket, sys
names, held = [], []
while "=" in sys.argv[1]:
    name, _, place = sys.argv.pop(1).partition("=")
    host, _, port = place.rpartition(":")
    s = socket.socket(socket.AF_INET if host else socket.AF_UNIX)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, int(port)) if host else place)
    s.listen()
    names.append(name)
    held.append(os.dup(s.fileno()))
for i, fd in enumerate([os.dup(f) for f in held]):
    held.append(fd)
high = [__import__("fcntl").fcntl(f, 0, 100) for f in held[:len(names)]]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)),
                  LISTEN_FDNAMES=":".join(names))
os.execv(sys.argv[1], sys.argv[1:])
"""


class Another:
    """Starts daemons beside the one of the run, with files of their own."""

    def __init__(self, agent):
        self.agent = agent
        self._pids = []

    def start(self, label, inherit=(), policy=None, env=(), **keys):
        """(whether it is ready, its exit code or None, its journal)"""
        lab = self.agent.lab
        run = f"/run/wayleave/{label}"
        config = copy.deepcopy(lab_daemon.CONFIG)
        config["listen"] = {"control": f"{run}/control.sock"}
        config.update(runtime_dir=run, audit={"file": f"{run}/audit.jsonl"})
        config.update(keys)
        make = ["install", "-d", "-o", "wayleave", run]
        assert lab.run_as("root", make).code == 0
        if policy is not None:
            config["policy_file"] = f"{label}-policy.json"
            path = lab_daemon.ETC / config["policy_file"]
            lab.write(path, json.dumps(policy))
        path = lab_daemon.ETC / f"{label}.json"
        lab.write(path, json.dumps(config))
        argv = [lab_daemon.DAEMON, "-c", path]
        if env:
            argv = ["env", *env, *argv]
        if inherit:
            argv = ["/usr/bin/python3", "-c", INHERIT, *inherit, *argv]
        pid = lab.start_as("wayleave", argv, log=f"{label}.log")
        self._pids.append(pid)
        # On a socket that is not its own another daemon would answer.
        socket = config["listen"].get("control", "")
        own = socket.startswith(run)
        words = ["wait", "--timeout", "0", "--socket", socket]
        ready, code, end = False, None, time.monotonic() + 5
        while not ready and code is None and time.monotonic() < end:
            code = lab.call("wait", pid=pid, timeout_s=0.05)
            if code is None and own:
                ready = self.agent.cli(*words).code == 0
        return ready, code, lab.read(paths.STATE / f"{label}.log")

    def stop(self):
        lab = self.agent.lab
        for pid in self._pids:
            if lab.call("wait", pid=pid, timeout_s=0.01) is None:
                lab.call("signal", pid=pid, number=15)
                lab.call("wait", pid=pid, timeout_s=5)
