"""Run artifacts as Azure ML keeps them: in acct1, handed out by SAS URI."""

import datetime
import threading

from . import names

CONTAINER = "azureml"


class Artifacts:
    """Which paths each run has; the bytes are in the storage account."""

    def __init__(self, azurite_port):
        self._port = azurite_port
        self._lock = threading.Lock()
        self._runs = {}
        self._ready = False

    def _uri(self, run, path, permission):
        # Imported late: the lab starts without it.
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        now = datetime.datetime.now(datetime.UTC)
        name = f"ExperimentRun/dcid.{run}/{path}"
        sas = generate_blob_sas(
            "acct1",
            CONTAINER,
            name,
            account_key=names.ACCOUNT_KEYS["acct1"],
            permission=BlobSasPermissions.from_string(permission),
            expiry=now + datetime.timedelta(hours=1),
        )
        return f"https://{names.ACCT1}/{CONTAINER}/{name}?{sas}"

    def prepare(self):
        """Make the workspace's container, as its creation does."""
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import BlobServiceClient

        client = BlobServiceClient(
            f"https://127.0.0.1:{self._port}/acct1",
            credential={
                "account_name": "acct1",
                "account_key": names.ACCOUNT_KEYS["acct1"],
            },
            connection_verify=False,
        )
        try:
            client.create_container(CONTAINER)
        except ResourceExistsError:
            pass

    def create(self, run, paths):
        with self._lock:
            if not self._ready:
                self.prepare()
                self._ready = True
            self._runs.setdefault(run, set()).update(paths)
        found = {p: self._describe(run, p) for p in paths}
        infos = {p: self._info(run, p, "rcw") for p in paths}
        return {
            "artifacts": found,
            "artifactContentInformation": infos,
            "errors": {},
        }

    def _describe(self, run, path):
        container = f"dcid.{run}"
        return {
            "artifactId": f"ExperimentRun/{container}/{path}",
            "origin": "ExperimentRun",
            "container": container,
            "path": path,
        }

    def _info(self, run, path, permission):
        info = self._describe(run, path)
        del info["artifactId"]
        info["contentUri"] = self._uri(run, path, permission)
        return info

    def find(self, run, path):
        if path not in self._runs.get(run, ()):
            return None
        return self._info(run, path, "r")

    def list(self, run):
        return [
            self._describe(run, p) for p in sorted(self._runs.get(run, ()))
        ]
