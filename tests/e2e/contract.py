"""What the tests of the contract share: the tool run on files of ours."""

import json
import os
import re
import subprocess

from lab import paths

BUILD = paths.REPO / os.environ.get("WAYLEAVE_BUILD", "build")
PLACE = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): .")


def tool(*words, text=None, cwd=None, env=None):
    """Run wayleave without a lab and without a daemon."""
    return subprocess.run(
        [BUILD / "wayleave", *map(str, words)],
        input=text,
        text=True,
        capture_output=True,
        cwd=cwd,
        env=env,
        timeout=20,
        check=False,
    )


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value, indent=1)


def check(folder, config=None, policy=None):
    """`wayleave check` of two files: objects to add to, or whole texts."""
    if not isinstance(config, str):
        config = {"version": 1, **(config or {})}
    if not isinstance(policy, str):
        policy = {"version": 1, **(policy or {})}
    (folder / "wayleave.json").write_text(text_of(config))
    (folder / "policy.json").write_text(text_of(policy))
    return tool("check", "-c", folder / "wayleave.json")


def refused(result, *words):
    """78, with a place and all the words in one of its lines."""
    assert result.returncode == 78, result
    for line in result.stderr.splitlines():
        if PLACE.match(line) and all(w in line for w in words):
            return line
    raise AssertionError(f"{words} not in: {result.stderr}")


def rule(**members):
    host = "acct1.blob.core.windows.net"
    return {"id": "r", "effect": "allow", "hosts": [host], **members}
