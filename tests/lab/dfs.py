"""The dfs endpoint of a storage account, as far as clients go, laid over the
blobs of Azurite, which has none: files, directories, appends and flushes."""

import base64
import threading
import xml.etree.ElementTree as ET
from email.utils import formatdate
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from . import front, names, web

FOLDER = "x-ms-meta-hdi_isfolder"
BLOCK = "BlockBlob"
# What the blob service says, and how the dfs endpoint puts it.
SAID = {
    "BlobNotFound": "PathNotFound",
    "ContainerNotFound": "FilesystemNotFound",
    "BlobAlreadyExists": "PathAlreadyExists",
    "ContainerAlreadyExists": "FilesystemAlreadyExists",
}


class Refused(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status = status
        self.code = code


class Dfs(front.Front):
    """One account; blob_host is the same account's blob endpoint.

    Blocks that were appended and not yet flushed are known to files: path ->
    {"blocks": [...], "length": N, "tail": N}.
    """

    blob_host = None
    files = None
    lock = None

    def dispatch(self):
        parts = urlsplit(self.path)
        query = {
            k: v[0]
            for k, v in parse_qs(parts.query, keep_blank_values=True).items()
        }
        system, _, path = unquote(parts.path).lstrip("/").partition("/")
        data = self.body()
        command = self.headers.get("X-HTTP-Method-Override", self.command)
        try:
            if not path.strip("/") and query.get("resource") == "filesystem":
                self._filesystem(system, query)
            else:
                method = getattr(self, "_" + command.lower())
                method(system, path.strip("/"), query, data)
        except Refused as e:
            self.refuse(e)

    def refuse(self, e):
        code = getattr(e, "code", "InternalError")
        error = {"error": {"code": code, "message": str(e)}}
        self.reply(e.status, error, {"x-ms-error-code": code})

    # ---- the blob service behind ------------------------------------------

    def _blob(self, method, path, query=None, data=b"", fields=None):
        """One request to Azurite as the same caller; an error is Refused."""
        conn = self._conn or self._connect()
        self._conn = None
        target = "/" + quote(path)
        if query:
            target += "?" + urlencode(query)
        fields = {
            "Host": self.blob_host,
            "Authorization": self.headers["Authorization"],
            "x-ms-version": "2021-12-02",
            "x-ms-date": formatdate(usegmt=True),
            "Content-Length": str(len(data)),
            **(fields or {}),
        }
        conn.request(method, target, data, fields)
        answer = conn.getresponse()
        body = answer.read()
        self._conn = conn
        if answer.status >= 400:
            code = answer.getheader("x-ms-error-code", "")
            if not code and answer.status == 404:
                code = "BlobNotFound"
            raise Refused(answer.status, SAID.get(code, code))
        return answer, body

    def _names(self, system, prefix, delimiter=None):
        """(name, is folder, size, etag, when) below a prefix, in order."""
        marker = ""
        while True:
            query = {"restype": "container", "comp": "list"}
            query.update(prefix=prefix, marker=marker, include="metadata")
            if delimiter:
                query["delimiter"] = delimiter
            _, body = self._blob("GET", system, query)
            tree = ET.fromstring(body)
            for item in tree.find("Blobs"):
                name = item.findtext("Name")
                told = item.find("Properties")
                if item.tag == "BlobPrefix":
                    yield name.rstrip("/"), True, 0, "", ""
                    continue
                meta = item.find("Metadata")
                folder = meta is not None and meta.findtext("hdi_isfolder")
                yield (
                    name,
                    folder == "true",
                    int(told.findtext("Content-Length")),
                    told.findtext("Etag"),
                    told.findtext("Last-Modified"),
                )
            marker = tree.findtext("NextMarker")
            if not marker:
                return

    def _status(self, system, path):
        """Fields of a path: a blob, or a folder that only holds others."""
        try:
            answer, _ = self._blob("HEAD", f"{system}/{path}")
        except Refused as e:
            if e.code != "PathNotFound" or not any(
                self._names(system, path + "/")
            ):
                raise
            return {"folder": True, "size": 0, "etag": '"0x0"', "when": ""}
        return {
            "folder": answer.getheader(FOLDER) == "true",
            "size": int(answer.getheader("Content-Length")),
            "etag": answer.getheader("ETag"),
            "when": answer.getheader("Last-Modified"),
        }

    # ---- what clients ask -------------------------------------------------

    def _filesystem(self, system, query):
        if self.command == "GET":
            self._list(system, query)
            return
        method = {"HEAD": "GET"}.get(self.command, self.command)
        answer, _ = self._blob(method, system, {"restype": "container"})
        fields = {"x-ms-namespace-enabled": "true"}
        for name in ("ETag", "Last-Modified"):
            if answer.getheader(name):
                fields[name] = answer.getheader(name)
        self.reply(answer.status, None, fields)

    def _list(self, system, query):
        folder = query.get("directory", "").strip("/")
        deep = query.get("recursive") == "true"
        if folder and not self._status(system, folder)["folder"]:
            raise Refused(404, "PathNotFound")
        seen = {}
        prefix = folder + "/" if folder else ""
        for name, is_folder, size, etag, when in self._names(
            system, prefix, None if deep else "/"
        ):
            told = {"name": name, "contentLength": str(size)}
            told.update(etag=etag.strip('"'), lastModified=when or LONG_AGO)
            told.update(owner="$superuser", group="$superuser")
            told["permissions"] = "rwxr-x---"
            if is_folder:
                told["isDirectory"] = "true"
            seen[name] = {**seen.get(name, {}), **told}
        self.reply(200, {"paths": [seen[n] for n in sorted(seen)]})

    def _head(self, system, path, query, data):
        if not path:
            self._blob("GET", system, {"restype": "container"})
            told = {"folder": True, "size": 0, "etag": '"0x0"', "when": ""}
        else:
            told = self._status(system, path)
        kind = "directory" if told["folder"] else "file"
        fields = {
            "x-ms-resource-type": kind,
            "x-ms-permissions": "rwxr-x---",
            "x-ms-owner": "$superuser",
            "x-ms-group": "$superuser",
            "x-ms-acl": "user::rwx,group::r-x,other::---",
            "ETag": told["etag"],
            "Last-Modified": told["when"] or LONG_AGO,
            "Accept-Ranges": "bytes",
        }
        if query.get("action") != "getAccessControl":
            # A HEAD's length is the file's; reply() would say 0.
            self.send_response(200)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(told["size"]))
            self.end_headers()
            return
        self.reply(200, None, fields)

    def _get(self, system, path, query, data):
        fields = {
            n: self.headers[n]
            for n in ("Range", "x-ms-range", "If-Match", "If-None-Match")
            if n in self.headers
        }
        answer, body = self._blob("GET", f"{system}/{path}", None, b"", fields)
        told = {"x-ms-resource-type": "file"}
        for name in ("ETag", "Last-Modified", "Content-Range"):
            if answer.getheader(name):
                told[name] = answer.getheader(name)
        told["Content-Type"] = "application/octet-stream"
        self.reply(answer.status, body, told)

    def _put(self, system, path, query, data):
        if "x-ms-rename-source" in self.headers:
            self._rename(system, path)
            return
        fields = {"x-ms-blob-type": BLOCK}
        for name in ("If-Match", "If-None-Match"):
            if name in self.headers:
                fields[name] = self.headers[name]
        if query.get("resource") == "directory":
            fields[FOLDER] = "true"
        elif query.get("resource") != "file":
            raise Refused(400, "InvalidQueryParameterValue")
        answer, _ = self._blob("PUT", f"{system}/{path}", None, b"", fields)
        with self.lock:
            self.files[system, path] = {"blocks": [], "length": 0, "tail": 0}
        told = {n: answer.getheader(n) for n in ("ETag", "Last-Modified")}
        self.reply(201, None, told)

    def _patch(self, system, path, query, data):
        position = int(query.get("position", 0))
        file = self._opened(system, path)
        if query.get("action") == "append":
            self._append(system, path, file, position, data)
            if query.get("flush") != "true":
                self.reply(202)
                return
            position += len(data)
        elif query.get("action") != "flush":
            raise Refused(400, "InvalidQueryParameterValue")
        self._flush(system, path, file, position)

    def _opened(self, system, path):
        """What is known of a file's blocks; after a restart, of its one."""
        with self.lock:
            if (system, path) in self.files:
                return self.files[system, path]
        size = self._status(system, path)["size"]
        query = {"comp": "blocklist", "blocklisttype": "committed"}
        _, body = self._blob("GET", f"{system}/{path}", query)
        blocks = [b.text for b in ET.fromstring(body).iter("Name")]
        with self.lock:
            file = {"blocks": blocks, "length": size, "tail": size}
            return self.files.setdefault((system, path), file)

    def _append(self, system, path, file, position, data):
        if position != file["tail"]:
            raise Refused(400, "InvalidFlushPosition")
        ident = base64.b64encode(b"%020d" % position).decode()
        query = {"comp": "block", "blockid": ident}
        self._blob("PUT", f"{system}/{path}", query, data)
        with self.lock:
            file["blocks"].append(ident)
            file["tail"] += len(data)

    def _flush(self, system, path, file, position):
        if position != file["tail"]:
            raise Refused(400, "InvalidFlushPosition")
        tree = ET.Element("BlockList")
        for ident in file["blocks"]:
            ET.SubElement(tree, "Latest").text = ident
        answer, _ = self._blob(
            "PUT",
            f"{system}/{path}",
            {"comp": "blocklist"},
            ET.tostring(tree, encoding="utf-8", xml_declaration=True),
        )
        file["length"] = position
        told = {n: answer.getheader(n) for n in ("ETag", "Last-Modified")}
        self.reply(200, None, told)

    def _rename(self, system, path):
        source = unquote(self.headers["x-ms-rename-source"].split("?")[0])
        old_system, _, old = source.lstrip("/").partition("/")
        if old_system != system:
            raise Refused(400, "InvalidRenameSourcePath")
        try:
            told = self._status(system, old)
        except Refused as e:
            raise Refused(404, "SourcePathNotFound") from e
        if self.headers.get("If-None-Match") == "*" and self._is(system, path):
            raise Refused(409, "PathAlreadyExists")
        self._move(system, old, path)
        if told["folder"]:
            below = [n for n, *_ in self._names(system, old + "/")]
            for name in below:
                self._move(system, name, path + name[len(old) :])
        self.reply(201)

    def _is(self, system, path):
        try:
            return bool(self._status(system, path))
        except Refused:
            return False

    def _move(self, system, old, new):
        try:
            answer, body = self._blob("GET", f"{system}/{old}")
        except Refused:
            return  # a folder that only holds others
        fields = {"x-ms-blob-type": BLOCK}
        if answer.getheader(FOLDER):
            fields[FOLDER] = "true"
        self._blob("PUT", f"{system}/{new}", None, body, fields)
        self._blob("DELETE", f"{system}/{old}")
        with self.lock:
            self.files.pop((system, old), None)
            self.files.pop((system, new), None)

    def _delete(self, system, path, query, data):
        told = self._status(system, path)
        below = [n for n, *_ in self._names(system, path + "/")]
        if told["folder"] and below and query.get("recursive") != "true":
            raise Refused(409, "DirectoryNotEmpty")
        for name in (*below, path):
            try:
                self._blob("DELETE", f"{system}/{name}")
            except Refused as e:
                if e.code != "PathNotFound":
                    raise
            with self.lock:
                self.files.pop((system, name), None)
        self.reply(200)


LONG_AGO = "Thu, 01 Jan 2026 00:00:00 GMT"


def serve(authority, azurite_port):
    own = {
        "authority": authority,
        "host": names.DFS1,
        "blob_host": names.ACCT1,
        "backend": ("127.0.0.1", azurite_port),
        "backend_tls": front.inner_tls(),
        "files": {},
        "lock": threading.Lock(),
    }
    handler = type("Dfs", (Dfs,), own)
    web.start((names.ENDPOINTS[names.DFS1], 443), handler, web.tls_context())
