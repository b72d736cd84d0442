"""Processes inside the lab: as whom, in which cgroup; and what they leak."""

import base64
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from . import paths

# The wrapper joins the cgroup while it is root, then becomes the user.
_AS = (
    # A lab that starts meanwhile sweeps empty cgroups: ours may be gone.
    'for i in 1 2 3 4 5; do mkdir -p "$1"; '
    'echo $$ 2>/dev/null > "$1/cgroup.procs" && break; [ $i -lt 5 ] || exit 126; '
    "done 2>/dev/null; u=$2; g=$3; shift 3; "
    'exec setpriv --reuid "$u" --regid "$g" --init-groups -- "$@"'
)
OUTPUT_MAX = 4 << 20


def wait_port(host, port, process, limit_s):
    """Wait until a server accepts; its early end is an error."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(
                f"{process.args[0]} ended: {process.returncode}"
            )
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {host}:{port}")


def logged(name, argv, **kwargs):
    """Start a service of the lab itself; its output goes to a file."""
    with open(paths.STATE / name, "wb") as log:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **kwargs
        )


def write(path, text, owner, mode):
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.chmod(mode)
    shutil.chown(fresh, owner, owner if owner != "root" else None)
    fresh.rename(path)


class Spawner:
    """Starts commands and keeps those that run in the background."""

    def __init__(self):
        self._kept = {}
        self._lock = threading.Lock()
        self._sweep()
        self._root = paths.CGROUP / f"wayleave-lab-{time.time_ns():x}"
        self._root.mkdir()

    def _sweep(self):
        """Remove cgroups of labs that were killed; busy ones stay."""
        for old in paths.CGROUP.glob("wayleave-lab-*"):
            for folder, _, _ in os.walk(old, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass

    def cgroup(self, unit):
        """ "job-1.service" or a path such as "user-1000.slice/user@1000..."."""
        folder = self._root / (unit or "session.scope")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _popen(self, argv, user, unit, env, cwd, **streams):
        entry = pwd.getpwnam(user)
        home = paths.HOME / user
        if not home.exists():
            home.mkdir(exist_ok=True)
            os.chown(home, entry.pw_uid, entry.pw_gid)
        full = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(home),
            "USER": user,
            "LOGNAME": user,
            "LANG": "C.UTF-8",
            "TMPDIR": str(home),
            **(env or {}),
        }
        return subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                _AS,
                "lab",
                str(self.cgroup(unit)),
                str(entry.pw_uid),
                str(entry.pw_gid),
                *argv,
            ],
            env=full,
            cwd=cwd or home,
            start_new_session=True,
            **streams,
        )

    def run(
        self,
        argv,
        user="alice",
        unit=None,
        env=None,
        cwd=None,
        stdin="",
        timeout_s=60.0,
    ):
        """Run to its end; returns code (None: timed out), out and err."""
        p = self._popen(
            argv,
            user,
            unit,
            env,
            cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            out, err = p.communicate(stdin.encode(), timeout_s)
            code = p.returncode
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            out, err = p.communicate()
            code = None
        return {
            "code": code,
            "out": out[:OUTPUT_MAX].decode(errors="replace"),
            "err": err[:OUTPUT_MAX].decode(errors="replace"),
        }

    def start(
        self, argv, user="alice", unit=None, env=None, cwd=None, log="out.log"
    ):
        """Run in the background; output goes to a file in the state folder."""
        with open(paths.STATE / log, "ab") as f:
            p = self._popen(
                argv,
                user,
                unit,
                env,
                cwd,
                stdin=subprocess.DEVNULL,
                stdout=f,
                stderr=f,
            )
        with self._lock:
            self._kept[p.pid] = p
        return p.pid

    def wait(self, pid, timeout_s):
        """The exit code, or None if it still runs."""
        try:
            return self._kept[pid].wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, pid, number):
        p = self._kept[pid]
        if p.poll() is None:
            os.kill(pid, number)
        return p.poll()


def needles(authority):
    """Pieces of every token signed, and the canary in each alignment."""
    found = set()
    for token in authority.minted:
        _, payload, signature = token.split(".")
        found.update((payload[60:120], signature[:60]))
    for pad in range(3):
        text = base64.b64encode(b"x" * pad + authority.canary.encode())
        found.add(text[4:-4].decode())
    found.add(authority.canary)
    return sorted(found)


def leaks(authority, state, more):
    """Where a piece of a token lies in a file, or in a process's environment
    or command line. The lab's own stores of payload are not looked at."""
    pieces = [n.encode() for n in needles(authority)]
    pieces += [m.encode() for m in more]
    hits = []

    def look(path):
        try:
            data = path.read_bytes()
        except OSError:
            return
        if any(n in data for n in pieces):
            hits.append(str(path))

    folders = [state, Path("/var/log/wayleave"), Path("/var/lib/wayleave")]
    for folder in (*folders, Path("/run/wayleave"), paths.HOME):
        for path in folder.rglob("*"):
            kept = path.relative_to(folder).parts[0] in ("azurite", "mlflow")
            if path.is_file() and not kept:
                look(path)
    for process in Path("/proc").glob("[0-9]*"):
        look(process / "environ")
        look(process / "cmdline")
    return hits


def held(authority, pid):
    """How many pieces of tokens are in the memory that a process may
    write, or reads from a file."""
    pieces = [n.encode() for n in needles(authority)]
    found = set()
    with (
        open(f"/proc/{pid}/maps") as maps,
        open(f"/proc/{pid}/mem", "rb") as m,
    ):
        for line in maps:
            words = line.split()
            first, last = (int(x, 16) for x in words[0].split("-"))
            if words[1][0] != "r" or words[-1] in ("[vvar]", "[vsyscall]"):
                continue
            try:
                m.seek(first)
                data = m.read(last - first)
            except OSError:
                continue
            found.update(p for p in pieces if p in data)
    return len(found)
