"""Follows a recipe word for word on a fresh Debian, and measures there."""

import contextlib
import json
import shlex
import time

import machine as machines
import recipes

from lab import names, paths

OPS = "ops"  # who follows the recipe: a person with sudo
EDITED = "/usr/local/share/edited-policy.json"
ENDPOINT = f"https://{names.ENDPOINTS[names.ACCT1]}/"
METADATA = (
    f"http://{names.IMDS}/metadata/identity/oauth2/token"
    f"?api-version=2018-02-01&resource={names.STORAGE_AUDIENCE}"
)

# What stands on such a host before: a notebook service, a job, ...
JUPYTER_UNIT = """[Unit]
Description=the notebook of %i

[Service]
User=%i
ExecStart=/opt/jupyter/bin/jupyter lab
"""
JOB_UNIT = """[Unit]
Description=trains

[Service]
Type=oneshot
ExecStart=/opt/jobs/train.py
"""
# ... and in both a client that knows nothing but its environment.
CLIENT = f"""#!/bin/sh
ask="api-version=2019-08-01&resource={names.STORAGE_AUDIENCE}"
if answer=$(curl -sS --fail-with-body "$IDENTITY_ENDPOINT?$ask" \\
	-H "X-IDENTITY-HEADER: $IDENTITY_HEADER")
then
	token=$(echo "$answer" | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
	curl -sS --fail-with-body "https://{names.ACCT1}/?comp=list" \\
		-H "Authorization: Bearer $token" -H "x-ms-version: 2021-08-06" \\
		-o /dev/null && echo "has the data"
fi
curl -sS https://example.org/
echo "done as $(id -un)"
"""
# sudoedit calls it: what is written are the page's own words.
EDITOR = f"""#!/bin/sh
exec cp {EDITED} "$1"
"""

REFUSED = ("request", "deny", "HOST_NOT_ALLOWED", "example.org")
GOT_DATA = ("request", "allow", None, names.ACCT1)
GOT_TOKEN = ("token", "allow", None, None)
NO_TOKEN = ("token", "deny", "TOKEN_NOT_ALLOWED", None)


@contextlib.contextmanager
def host_of_people(azure, debian):
    """People, a notebook service, a job; nothing of wayleave."""
    with machines.Machine(azure, "host", debian) as host:
        host.boot()
        host.must(
            f"useradd -m -G sudo {OPS}; useradd -m alice; useradd -m bob; "
            "useradd -m jobs"
        )
        host.write(
            "/etc/sudoers.d/ops", f"{OPS} ALL=(ALL) NOPASSWD:ALL\n", mode=0o440
        )
        unit = "/etc/systemd/system/"
        host.write(f"{unit}jupyter@.service", JUPYTER_UNIT)
        host.write(f"{unit}job-train.service", JOB_UNIT)
        notebook = CLIENT + "exec sleep infinity\n"
        host.write("/opt/jupyter/bin/jupyter", notebook, mode=0o755)
        host.write("/opt/jobs/train.py", CLIENT, mode=0o755)
        host.write("/usr/local/bin/editor", EDITOR, mode=0o755)
        yield host


class Follower:
    """Does what a page says, and remembers what was printed."""

    def __init__(self, host, page):
        self.host = host
        self.parts = recipes.read(page)
        self.printed = {}
        self.before = None
        example = paths.REPO / "systemd" / "examples" / "policy.json"
        self.policy = json.loads(example.read_text())
        # They are about the example's own workloads.
        del self.policy["tests"]
        self.policy["rules"] = [
            r for r in self.policy["rules"] if "workloads" not in r
        ]

    def follow(self, *steps):
        for step in steps:
            parts = [p for p in self.parts if p.step == step]
            assert parts
            for part in parts:
                if isinstance(part, recipes.Policy):
                    self._edit(part.keys)
            for part in parts:
                if isinstance(part, recipes.File):
                    self.host.write(part.path, part.text)
                elif isinstance(part, recipes.Command):
                    self._command(part.text)

    def _edit(self, keys):
        self.policy.update(keys)
        self.host.write(EDITED, json.dumps(self.policy, indent=2))

    def _command(self, text):
        if text.startswith("./configure "):
            self._install(text)
            return
        script = f"export SUDO_EDITOR=/usr/local/bin/editor; {text}"
        self.printed[text] = self.host.must(script, user=OPS)

    def _install(self, text):
        """The build was made by bootstrap from these very words."""
        configure, make, install = text.split(" && ")
        assert (make, install) == ("make", "sudo make install")
        made = machines.configured()
        for option in shlex.split(configure)[1:]:
            assert option in made
        self.host.install()

    def as_person(self, step, user):
        """A step for a person in one shell of theirs: comments and result."""
        parts = [p for p in self.parts if p.step == step]
        done = self.host.run("\n".join(p.text for p in parts), user=user)
        return [p.comment for p in parts if p.comment], done


def direct(host, user, url):
    """Past the agent: curl's exit code; a refusal must come at once."""
    start = time.monotonic()
    script = f"curl -sS -k -m 8 --noproxy '*' -H Metadata:true '{url}'"
    code = host.run(script, user=user).code
    assert time.monotonic() - start < 4
    return code


def ways_out(host, user):
    return {url: direct(host, user, url) for url in (ENDPOINT, METADATA)}


def records(host, unit):
    """What the audit holds about a unit, as (event, verdict, code, host)."""
    lines = map(json.loads, host.read(machines.AUDIT).splitlines())
    return [
        (r["event"], r["verdict"], r["code"], r["host"])
        for r in lines
        if r.get("workload") and r["workload"]["unit"] == unit
    ]


def settled(host, unit, wanted, limit_s=10):
    """Wait until the audit holds a record of a unit."""
    end = time.monotonic() + limit_s
    while wanted not in records(host, unit):
        assert time.monotonic() < end, (
            records(host, unit),
            host.journal(unit),
            host.journal("wayleaved"),
        )
        time.sleep(0.1)


def check_client(host, unit, user):
    """The client in the unit got all that it is to get, and no more."""
    seen = records(host, unit)
    for record in (GOT_TOKEN, GOT_DATA, REFUSED):
        assert record in seen, seen
    said = host.journal(unit)
    assert "has the data" in said
    assert f"done as {user}" in said
