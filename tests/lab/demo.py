"""The main job as a short story in the terminal: ./bootstrap demo."""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import LabError, daemon, gateways, names, paths, up, zones

KEPT = paths.REPO / ".lab" / "kept.pid"
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
PUBLIC_HOST = zones.ROUTES["R2"][0]


class Failed(Exception):
    """A step of the story did not hold."""


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def say(text=""):
    print(text, flush=True)


class Story:
    """Tells each step: why, what a person would type, what came of it."""

    def __init__(self, azure, agent):
        self.azure = azure
        self.agent = agent
        self.env = agent.environment("alice")
        self.step_number = 0

    def step(self, title):
        self.step_number += 1
        say()
        say(paint("1", f"{self.step_number}. {title}"))

    def type(self, shown, argv, user="alice", fails=False, **order):
        """Show a command, run it, show what it printed."""
        say(paint("32", f"   {user}$ ") + shown)
        env = self.env if user == "alice" else None
        result = self.azure.run_as(user, argv, env=env, **order)
        text = (result.out + result.err).strip()
        for line in text.splitlines():
            say(f"   | {line}")
        if (result.code != 0) != fails:
            raise Failed(f"that command ended with {result.code}")
        return result

    def python(self, name, text, **order):
        """Write a little program where alice finds it, and run it."""
        path = paths.HOME / "alice" / name
        self.azure.write(path, text, owner="alice")
        for line in text.strip().splitlines():
            say(paint("2", f"     {line}"))
        argv = [paths.PYTHON, "-W", "ignore", path]
        return self.type(f"python {name}", argv, **order)

    def expect(self, text, pattern):
        found = re.search(pattern, text)
        if not found:
            raise Failed(f"expected to see {pattern!r}")
        return found

    def note(self, text):
        say(f"   {text}")


TOKEN = f"""
import jwt
from azure.identity import DefaultAzureCredential
token = DefaultAzureCredential().get_token("{names.STORAGE_AUDIENCE}.default")
claims = jwt.decode(token.token, options={{"verify_signature": False}})
print("a token for", claims["aud"], "as", claims["oid"])
"""

BLOB = f"""
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
lake = BlobServiceClient("https://{names.ACCT1}", DefaultAzureCredential())
lake.create_container("demo")
blob = lake.get_blob_client("demo", "hello.txt")
blob.upload_blob(b"hello over private link")
print(blob.download_blob().readall().decode())
"""

RUN = """
import mlflow
mlflow.set_experiment("demo")
with mlflow.start_run() as run:
    mlflow.log_param("rows", 1000)
    mlflow.log_metric("loss", 0.25)
    mlflow.log_text("trained in private", "notes.txt")
print(mlflow.get_run(run.info.run_id).data.metrics)
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/notes.txt"))
"""

LEAVE = f"""
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
lake = BlobServiceClient("https://{PUBLIC_HOST}", DefaultAzureCredential(),
                         retry_total=0)
try:
    lake.create_container("demo")
except Exception as e:
    raise SystemExit(f"{{type(e).__name__}}: {{e}}")
"""


def tell_identity(story):
    story.step("A token, and no secret anywhere")
    story.note("wayleave env points every client at localhost:")
    story.type("wayleave env", [daemon.CLI, "env"])
    result = story.python("get_token.py", TOKEN)
    story.expect(result.out, names.IDENTITIES["alice"]["object_id"])


def tell_private(story):
    story.step("A blob, over its private endpoint")
    result = story.python("blob.py", BLOB)
    story.expect(result.out, "hello over private link")
    story.step("An MLflow run in an Azure ML workspace (azureml://)")
    story.note("(starting the lab's MLflow server takes a few seconds)")
    story.azure.call("mlflow")
    story.env = {
        **story.env,
        "MLFLOW_TRACKING_URI": names.TRACKING_URI,
        "GIT_PYTHON_REFRESH": "quiet",
    }
    story.note(f"MLFLOW_TRACKING_URI={names.TRACKING_URI}")
    result = story.python("train.py", RUN, timeout_s=120)
    story.expect(result.out, "trained in private")


GATEWAY = {
    "name": "score",
    "listen": "127.0.0.1:3192",
    "upstream": f"https://{names.SCORE}",
}
INJECT = gateways.inject(names.ML_AUDIENCE, "host")


def with_gateway():
    """The lab's configuration and policy, and a gateway to an endpoint."""
    config, policy = dict(daemon.CONFIG), daemon.policy()
    config["gateways"] = [GATEWAY]
    for rule in policy["rules"]:
        if rule["id"] == "score":
            rule.update(INJECT)
    return config, policy


def tell_gateway(story):
    story.step("A call with no token at all: the agent adds it at the exit")
    story.note("wayleave.json has a gateway, policy.json says whose token:")
    for entry in (GATEWAY, INJECT):
        say(paint("2", f"     {json.dumps(entry)}"))
    url = f"http://{GATEWAY['listen']}/score"
    argv = ["curl", "-sS", "-d", '{"data": [1, 2, 3]}', url]
    shown = " ".join(shlex.quote(a) for a in argv)
    result = story.type(shown, argv)
    story.expect(result.out, r"predictions.*2, 4, 6")
    (opened,) = [
        r
        for r in story.agent.records()
        if r["event"] == "open" and r["protocol"] == "gateway"
    ]
    story.note(f"The audit says which: {json.dumps(opened['injected'])}")


def tell_refusal(story):
    story.step("A public route is refused, with the reason and the fix")
    result = story.python("leave.py", LEAVE, fails=True, timeout_s=120)
    found = story.expect(
        result.out + result.err, r"PUBLIC_ADDRESS id=([A-Z2-7]{10})"
    )
    ident = found[1]
    story.note(f"What is {ident}? Ask:")
    argv = [daemon.CLI, "why", ident]
    shown = story.type(f"wayleave why {ident}", argv, fails=True)
    story.expect(shown.out, "PUBLIC_ADDRESS")
    reached = {k: n for k, n in story.azure.call("public").items() if n}
    if reached:
        raise Failed(f"a public address was reached: {reached}")
    story.note("Connections that reached a public address: 0")


def tell_audit(story):
    story.step("The audit of it all, verified")
    query = ["audit", "query", daemon.AUDIT]
    argv = [daemon.CLI, *query]
    story.type("wayleave " + " ".join(query), argv, user="root")
    story.note("wayleaved signs its last record when it stops:")
    say(paint("32", "   root$ ") + "systemctl stop wayleaved")
    if story.agent.stop() != 0:
        raise Failed("wayleaved did not end well")
    state = "/var/lib/wayleave"
    verify = ["audit", "verify", "--key", f"{state}/audit.pub"]
    verify += ["--head", f"{state}/audit.head", daemon.AUDIT]
    argv = [daemon.CLI, *verify]
    story.type("wayleave " + " ".join(verify), argv, user="root")
    leaks = story.azure.call("leaks")
    if leaks:
        raise Failed(f"pieces of a token lie in {leaks}")
    story.note("Pieces of any token in logs, audit, environments, files: none")


def tell(keep):
    start = time.monotonic()
    say(paint("1", "wayleave: private routes and tokens without secrets"))
    say("An Azure in one network namespace of this machine is starting ...")
    azure = up()
    try:
        with daemon.Daemon(azure, *with_gateway()) as agent:
            say(f"... it is up ({time.monotonic() - start:.1f} s);")
            say("wayleaved runs in it as its own user, beside alice's shell.")
            story = Story(azure, agent)
            tell_identity(story)
            tell_private(story)
            tell_gateway(story)
            tell_refusal(story)
            tell_audit(story)
            say()
            took = time.monotonic() - start
            say(paint("1;32", f"Every step held ({took:.0f} s)."))
            if keep:
                agent.start()
                leave_running(azure, story)
                os._exit(0)
    finally:
        azure.close()


def leave_running(azure, story):
    azure.keep()
    KEPT.write_text(f"{azure.pid}\n")
    say()
    say("The lab is still running. A shell of alice in it:")
    enter = f"sudo nsenter -t {azure.pid} -n -m -p setpriv"
    say(f"  {enter} --reuid alice --regid alice --init-groups sh")
    say("and the environment to paste there:")
    for name, value in sorted(story.env.items()):
        say(f"  export {name}={shlex.quote(value)}")
    say(f"  export HOME={paths.HOME / 'alice'} PATH={daemon.BUILD}:$PATH")
    say("End it with: ./bootstrap demo --stop")


def stop():
    try:
        pid = int(KEPT.read_text())
        cmdline = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        say("No lab is running.")
        return 0
    if b"lab.guest" in cmdline:
        root = [] if os.geteuid() == 0 else ["sudo"]
        subprocess.run(
            [*root, "kill", f"-{int(signal.SIGKILL)}", str(pid)], check=True
        )
    KEPT.unlink()
    say("The lab is gone.")
    return 0


def main():
    parser = argparse.ArgumentParser(prog="./bootstrap demo")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--stop", action="store_true")
    given = parser.parse_args()
    if given.stop:
        return stop()
    try:
        tell(given.keep)
    except (Failed, LabError, json.JSONDecodeError) as e:
        say()
        say(paint("1;31", f"The story breaks off: {e}"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
