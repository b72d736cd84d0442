"""The lab's outside: starts it, sends orders, and is all that tests see."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from . import paths

START_LIMIT_S = 60


class LabError(Exception):
    """The lab could not do what it was asked."""


class Result:
    """What a command in the lab printed, and how it ended."""

    def __init__(self, answer):
        self.code = answer["code"]
        self.out = answer["out"]
        self.err = answer["err"]

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class Lab:
    """A running lab; a context manager that ends it."""

    def __init__(self):
        top = paths.REPO / ".lab"
        top.mkdir(exist_ok=True)
        _sweep(top)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=top))
        self.folder.chmod(0o755)
        self._next = 0
        self._waiting = {}
        self._lock = threading.Lock()
        self._process = self._start()
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self.pid = self._answer(0, self._wait_for(0), START_LIMIT_S)["pid"]
        except BaseException:
            self.close()
            raise

    def _start(self):
        root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        environment = [
            "env",
            f"PYTHONPATH={paths.REPO / 'tests'}",
            "PYTHONDONTWRITEBYTECODE=1",
        ]
        inside = ["unshare", "-n", "-m", "-p", "-f", "--kill-child"]
        python = str(paths.REPO / ".venv" / "bin" / "python")
        argv = [*root, *environment, *inside, python, "-m", "lab.guest"]
        with open(self.folder / "lab.log", "wb") as log:
            return subprocess.Popen(
                [*argv, str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def _wait_for(self, number):
        box = {"event": threading.Event()}
        self._waiting[number] = box
        return box

    def _listen(self):
        for line in self._process.stdout:
            answer = json.loads(line)
            box = self._waiting.get(answer["id"])
            if box:
                box["answer"] = answer
                box["event"].set()
        for box in list(self._waiting.values()):
            box["event"].set()

    def _answer(self, number, box, limit_s):
        done = box["event"].wait(limit_s)
        self._waiting.pop(number, None)
        answer = box.get("answer")
        if answer is None:
            log = (self.folder / "lab.log").read_text(errors="replace")
            why = "ended" if done else f"gave no answer in {limit_s} s"
            raise LabError(f"the lab {why}; its log:\n{log[-4000:]}")
        if "error" in answer:
            raise LabError(answer["error"])
        return answer["result"]

    def call(self, op, limit_s=120, **args):
        """Give one order to the inside (see guest.Guest.op_*)."""
        with self._lock:
            self._next += 1
            number = self._next
            box = self._wait_for(number)
            order = {"id": number, "op": op, "args": args}
            try:
                self._process.stdin.write(json.dumps(order) + "\n")
                self._process.stdin.flush()
            except OSError as e:
                raise LabError("the lab is gone") from e
        return self._answer(number, box, limit_s)

    def run_as(self, user, argv, timeout_s=60, **order):
        """Run a command as a user; unit= names its cgroup. See Result."""
        argv = [str(a) for a in argv]
        answer = self.call(
            "run",
            limit_s=timeout_s + 30,
            argv=argv,
            user=user,
            timeout_s=timeout_s,
            **order,
        )
        return Result(answer)

    def python_as(self, user, code, *args, **order):
        """Run a piece of Python with the lab's clients installed."""
        argv = [paths.PYTHON, "-c", code, *args]
        return self.run_as(user, argv, **order)

    def start_as(self, user, argv, **order):
        """Start a command in the background; returns its pid inside."""
        return self.call(
            "start", argv=[str(a) for a in argv], user=user, **order
        )

    def imds(self, fault=None, **details):
        """Switch the metadata service; with nothing: all is well again."""
        self.call("imds", fault=fault, **details)

    def public(self):
        """Connections that reached a public address since the start."""
        return sum(self.call("public").values())

    def read(self, path):
        return self.call("read", path=str(path))

    def write(self, path, text, **how):
        self.call("write", path=str(path), text=text, **how)

    def keep(self):
        """Leave it running when this process ends."""
        (self.folder / "kept").write_text(str(self.pid))
        self.call("keep")

    def close(self):
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.stdin.close()
            process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _sweep(top):
    """Remove the folders of labs whose driver is gone."""
    for folder in top.glob("*-*"):
        pids = [folder.name.split("-")[0]]
        if (folder / "kept").exists():
            pids.append((folder / "kept").read_text())
        if any(Path(f"/proc/{p}").exists() for p in pids):
            continue
        shutil.rmtree(folder, ignore_errors=True)


def up():
    """Start a lab; raises LabError with the reason where it cannot."""
    if not (paths.REPO / ".venv" / "bin" / "python").exists():
        raise LabError("there is no .venv: run ./bootstrap first")
    if sys.platform != "linux":
        raise LabError("the lab needs Linux namespaces")
    return Lab()
