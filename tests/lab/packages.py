"""A package server: a pip index, an npm registry and git, all over TLS."""

import base64
import hashlib
import html
import io
import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

from . import names, paths, web

ROOT = paths.STATE / "packages"
NAME = "lab-hello"
VERSION = "1.0.0"
SAYS = "hello from the lab"


def _wheel():
    """The smallest wheel that pip installs: one module."""
    module = NAME.replace("-", "_")
    info = f"{module}-{VERSION}.dist-info"
    files = {
        f"{module}.py": f"TEXT = {SAYS!r}\n",
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n"
        ),
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: lab\n"
            "Root-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    files[f"{info}/RECORD"] = record
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, text in files.items():
            z.writestr(name, text)
    return f"{module}-{VERSION}-py3-none-any.whl", out.getvalue()


def _write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _pip(root):
    name, data = _wheel()
    digest = hashlib.sha256(data).hexdigest()
    link = html.escape(f"../../files/{name}#sha256={digest}")
    page = f'<!DOCTYPE html><a href="{link}">{name}</a>'
    _write(root / "files" / name, data)
    _write(root / "simple" / NAME / "index.html", page.encode())


def _tarball():
    package = {"name": NAME, "version": VERSION, "main": "index.js"}
    files = {
        "package.json": json.dumps(package),
        "index.js": f"module.exports = {json.dumps(SAYS)};\n",
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return package, out.getvalue()


def _npm(root):
    package, data = _tarball()
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    tarball = f"{NAME}-{VERSION}.tgz"
    package["dist"] = {
        "tarball": f"https://{names.PACKAGES}/files/{tarball}",
        "integrity": f"sha512-{digest}",
    }
    about = {
        "name": NAME,
        "dist-tags": {"latest": VERSION},
        "versions": {VERSION: package},
    }
    _write(root / "files" / tarball, data)
    _write(root / "npm" / NAME / "index.html", json.dumps(about).encode())


def git(*words, cwd):
    """git without the machine's and the person's own settings."""
    env = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    for who in ("AUTHOR", "COMMITTER"):
        env[f"GIT_{who}_NAME"] = "lab"
        env[f"GIT_{who}_EMAIL"] = "lab@lab.example"
    subprocess.run(
        ["git", *words],
        check=True,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _git(root):
    work, bare = root / "work", root / "git" / f"{NAME}.git"
    work.mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=work)
    _write(work / "README", f"{SAYS}\n".encode())
    # Large enough that a transfer takes more than one segment.
    _write(work / "data", os.urandom(1 << 20))
    git("add", ".", cwd=work)
    git("commit", "-qm", "first", cwd=work)
    git("clone", "-q", "--bare", str(work), str(bare), cwd=root)
    git("config", "http.receivepack", "true", cwd=bare)


class Packages(web.Handler):
    """Files of ROOT, with an index.html for each folder; git's back end."""

    def _serve(self):
        path, _, query = self.path.partition("?")
        if path.startswith("/git/"):
            self._git(path, query)
            return
        file = (ROOT / path.strip("/")).resolve()
        if file.is_dir():
            file = file / "index.html"
        if not file.is_file() or not file.is_relative_to(ROOT.resolve()):
            self.reply(404, {"error": "not found"})
            return
        kind = "application/octet-stream"
        if file.name == "index.html":
            kind = "text/html" if "/simple/" in path else "application/json"
        self.reply(200, file.read_bytes(), {"Content-Type": kind})

    do_GET = do_POST = do_HEAD = _serve

    def _git(self, path, query):
        body = self.body()
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(ROOT / "git"),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path.removeprefix("/git"),
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": self.client_address[0],
        }
        out = subprocess.run(
            ["git", "http-backend"],
            check=False,
            input=body,
            env=env,
            capture_output=True,
        ).stdout
        head, _, data = out.partition(b"\r\n\r\n")
        fields = dict(
            line.split(": ", 1) for line in head.decode().split("\r\n") if line
        )
        status = int(fields.pop("Status", "200").split()[0])
        self.reply(status, data, fields)


def serve():
    """Make the packages and start the server."""
    ROOT.mkdir()
    _pip(ROOT)
    _npm(ROOT)
    _git(ROOT)
    tls = web.tls_context()
    web.start((names.PACKAGES_ADDRESS, 443), Packages, tls)
    Path(ROOT).chmod(0o755)
