"""A small Debian with systemd, unpacked once and kept in .lab/debian."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from lab import paths

HOME = paths.REPO / ".lab" / "debian"
ROOT = HOME / "root"
# What the recipes call, beside the libraries that the programs are linked to.
PACKAGES = [
    *("systemd", "systemd-sysv", "dbus", "nftables", "iproute2"),
    *("sudo", "passwd", "curl", "ca-certificates", "procps"),
]
# What the daemon opens by itself, so that it is not linked to it.
OPENED = ["libcurl.so.4"]
# Where each line comes from that apt has for this release.
TARGETS = "deb $(REPO_URI) $(CODENAME) $(COMPONENT)"


def _out(*argv):
    return subprocess.run(
        argv, check=True, capture_output=True, text=True
    ).stdout


def _root(*argv, **how):
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    return subprocess.run([*sudo, *argv], check=True, **how)


def _release():
    text = Path("/etc/os-release").read_text()
    return re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)[1]


def _owners(path):
    """The packages that hold a file; a merged /usr has two names for it."""
    short = path.removeprefix("/usr")
    for name in (path, short, "/usr" + short):
        try:
            return _out("dpkg", "-S", name).split(": ")[0].split(", ")
        except subprocess.CalledProcessError:
            continue
    raise RuntimeError(f"no package holds {path}")


def libraries(*programs):
    """The packages of the shared libraries that programs name themselves,
    and of those that the daemon opens when it has started."""
    known = _out("/sbin/ldconfig", "-p")
    found = set()
    for name in OPENED:
        path = re.search(rf"\s{re.escape(name)} .*=> (/\S+)", known)[1]
        found.update(p.split(":")[0] for p in _owners(path))
    for program in programs:
        wanted = re.findall(r"NEEDED\s+(\S+)", _out("objdump", "-p", program))
        places = dict(re.findall(r"(\S+) => (/\S+)", _out("ldd", program)))
        for name in wanted:
            path = places.get(name)
            if path:
                found.update(p.split(":")[0] for p in _owners(path))
    return sorted(found)


def _sources(release):
    suites = (release, f"{release}-updates", f"{release}-security")
    lines = _out(
        *("apt-get", "indextargets", "--format", TARGETS),
        "Created-By: Packages",
    ).splitlines()
    return sorted({x for x in lines if x.split()[2] in suites})


def make(programs):
    """Unpack the tree if there is none, or if it lacks something."""
    release = _release()
    packages = [*PACKAGES, *libraries(*programs)]
    sources = _sources(release)
    wanted = "\n".join([release, *packages, *sources])
    stamp = HOME / "stamp"
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return ROOT
    HOME.parent.mkdir(exist_ok=True)
    if HOME.exists():
        _root("rm", "-rf", "--one-file-system", HOME)
    HOME.mkdir()
    # How this machine's apt reaches its registry, proxies and all.
    settings = HOME / "apt.conf"
    settings.write_text(
        _out("apt-config", "dump", "--format", '%F "%v";%n', "Acquire")
    )
    with open(HOME / "log", "wb") as log:
        _root(
            *("mmdebstrap", "--variant=essential"),
            f"--include={','.join(packages)}",
            f"--aptopt={settings}",
            *(release, ROOT, "-"),
            input="\n".join([*sources, ""]).encode(),
            stdout=log,
            stderr=log,
        )
    stamp.write_text(digest)
    return ROOT


def tools_missing():
    """What this machine lacks to make and boot a tree."""
    needed = ("mmdebstrap", "systemd-nspawn", "nsenter", "objdump")
    return [t for t in needed if shutil.which(t) is None]
