"""A Debian booted by systemd-nspawn in the lab's network, with wayleave.

Everything of it lies in the lab's namespaces: its disk is a layer on a
tmpfs, its network the lab's, its processes end with the lab's process 1.
"""

import itertools
import os
import shlex
import subprocess
import time
from pathlib import Path

from lab import LabError, paths

BUILD = paths.SRC / os.environ.get(
    "WAYLEAVE_BUILD_INSTALLED", "build-installed"
)
AUDIT = "/var/log/wayleave/audit.jsonl"
BOOT_LIMIT_S = 90
_number = itertools.count(1)


class Machine:
    """A container with a systemd of its own; ended by close()."""

    def __init__(self, lab, name, tree):
        self.lab = lab
        self.name = name
        self.top = Path(f"/run/machines/{name}-{next(_number)}")
        self.root = self.top / "root"
        self.log = f"{name}.log"
        self.leader = self._supervisor = None
        lower = paths.SRC / tree.relative_to(paths.REPO)
        self.outside(
            f"mkdir -p {self.top}/upper {self.top}/work {self.root} && "
            f"mount -t overlay machine -o lowerdir={lower},"
            f"upperdir={self.top}/upper,workdir={self.top}/work {self.root}"
        )
        self.write("/etc/hostname", f"{name}\n")
        self.write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
        # The lab's authority stands where the public ones stand elsewhere.
        bundle = self.root / "etc/ssl/certs/ca-certificates.crt"
        self.outside(f"cat {paths.CA_FILE} >>{bundle}")

    def outside(self, script, limit_s=120):
        """As root in the lab, beside the machine."""
        done = self.lab.run_as(
            "root", ["/bin/sh", "-ec", script], timeout_s=limit_s
        )
        if done.code != 0:
            raise LabError(f"{script}: {done}")
        return done.out

    def install(self):
        """`make install` into the machine, from the build of the recipe."""
        self.outside(f"make -s -C {BUILD} install DESTDIR={self.root}")

    def write(self, path, text, **how):
        self.lab.write(f"{self.root}{path}", text, **how)

    def read(self, path):
        return self.lab.read(f"{self.root}{path}")

    def boot(self):
        """Start it and wait until its systemd has nothing left to start."""
        self._supervisor = self.lab.start_as(
            "root",
            [
                *("systemd-nspawn", "--quiet", "--boot", "--console=pipe"),
                *("--register=no", "--keep-unit", "--resolv-conf=bind-host"),
                *("--directory", self.root, "--machine", self.name),
                "--network-namespace-path=/proc/self/ns/net",
                # As the manager of a real host: locked memory (nspawn's own
                # filter refuses mlock(2) else), limits, the lab's network.
                "--capability=CAP_IPC_LOCK,CAP_SYS_RESOURCE,CAP_NET_ADMIN",
            ],
            unit=f"{self.name}.service",
            env={"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            log=self.log,
        )
        end = time.monotonic() + BOOT_LIMIT_S
        while True:
            state = self._state()
            if state in ("running", "degraded"):
                return
            if time.monotonic() > end or self._ended(0):
                console = self.lab.read(paths.STATE / self.log)
                self._kill()
                raise LabError(f"no boot ({state}): {console[-4000:]}")
            time.sleep(0.05)

    def _kill(self):
        """nspawn ends its children when it ends."""
        self.lab.call("signal", pid=self._supervisor, number=9)
        self._ended(10)
        self.leader = self._supervisor = None

    def _ended(self, limit_s):
        code = self.lab.call(
            "wait", pid=self._supervisor, timeout_s=limit_s or 0.01
        )
        return code is not None

    def _state(self):
        children = Path(f"/proc/{self._supervisor}/task")
        script = f"cat {children}/*/children 2>/dev/null || true"
        found = self.outside(script).split()
        if not found:
            return "no leader"
        self.leader = int(found[0])
        done = self.enter(["systemctl", "is-system-running"])
        return done.out.strip()

    def enter(self, argv, **order):
        """As root in the machine, but in no unit of it."""
        # The root too: in a chroot it is not that of the mount namespace.
        inside = ["nsenter", "--all", "--root", "--wd"]
        inside += ["--target", self.leader, "--"]
        return self.lab.run_as("root", [*inside, *argv], **order)

    def run(self, script, user="root", unit=None, timeout_s=60):
        """A shell script in a unit of its own; see lab.driver.Result."""
        argv = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect"]
        if unit:
            argv += ["--unit", unit]
        if user != "root":
            argv += ["--uid", user, "--working-directory", "/"]
        # By stdin: systemd would put its own meaning on a command's "$".
        argv += ["--", "/bin/sh", "-s"]
        script = "{\n" + script + "\n} </dev/null\n"
        return self.enter(argv, stdin=script, timeout_s=timeout_s)

    def must(self, script, **how):
        """As run(), but failing is an error; returns what it printed."""
        done = self.run(script, **how)
        if done.code != 0:
            journal = self.enter(
                ["journalctl", "-b", "-n", "40", "--no-pager"]
            ).out
            raise LabError(f"{script}: {done}\n{journal}")
        return done.out

    def show(self, unit, *properties):
        """Properties of a unit; one alone comes as its value."""
        names = ",".join(properties)
        out = self.enter(["systemctl", "show", "--property", names, unit]).out
        found = dict(x.split("=", 1) for x in out.splitlines())
        return found[properties[0]] if len(properties) == 1 else found

    def status_of(self, unit):
        """/proc/PID/status of a unit's main process."""
        pid = self.show(unit, "MainPID")
        text = self.enter(["cat", f"/proc/{pid}/status"]).out
        lines = (x.split(":", 1) for x in text.splitlines())
        return {name: value.strip() for name, value in lines}

    def journal(self, unit):
        return self.enter(
            ["journalctl", "--no-pager", "-o", "cat", "-u", unit]
        ).out

    def poweroff(self):
        """An orderly end: every unit is stopped."""
        asked = self.enter(["systemctl", "poweroff"])
        if asked.code != 0 or not self._ended(60):
            jobs = self.enter(["systemctl", "list-jobs", "--no-pager"])
            console = self.lab.read(paths.STATE / self.log)
            raise LabError(f"no end: {asked}\n{jobs}\n{console[-4000:]}")
        self.leader = self._supervisor = None

    def close(self):
        if self._supervisor is not None:
            self.poweroff()
        self.outside(f"umount --lazy {self.root} && rm -rf {self.top}")
        # On a machine with cgroup 1, nspawn leaves a folder there.
        self.outside(
            "find /sys/fs/cgroup/systemd/wayleave-lab-* -depth -type d "
            "-exec rmdir {} \\; 2>/dev/null || true"
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def configured():
    """The options that the installed build was configured with."""
    said = subprocess.run(
        [paths.REPO / BUILD.name / "config.status", "--config"],
        check=True,
        capture_output=True,
        text=True,
    )
    return shlex.split(said.stdout)
