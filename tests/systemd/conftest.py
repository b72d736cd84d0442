"""One lab for the run; each file of tests boots a machine of its own."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import machine as machines
import tree

import lab
from lab import paths

BUILD = paths.REPO / machines.BUILD.name
PROGRAMS = [str(BUILD / "wayleaved"), str(BUILD / "wayleave")]


@pytest.fixture(scope="session")
def azure():
    with lab.up() as running:
        yield running
        assert running.public() == 0


@pytest.fixture(scope="session")
def debian(azure):
    """The tree, booted once bare: where even that fails, nspawn cannot work
    on this machine, and only then are the tests skipped."""
    missing = tree.tools_missing()
    assert not missing, f"run ./bootstrap setup: no {', '.join(missing)}"
    root = tree.make(PROGRAMS)
    with machines.Machine(azure, "bare", root) as bare:
        try:
            bare.boot()
        except lab.LabError as e:
            if os.environ.get("WAYLEAVE_NSPAWN") == "must":
                raise
            pytest.skip(f"systemd-nspawn cannot boot here: {e}"[:300])
    return root
