"""The bench cannot rot: each of its rows does its work, at a small size."""

import json
import os
import subprocess
import sys

import pytest

from bench.rows import OURS, ROWS
from lab import paths

BUILT = paths.REPO / os.environ.get("WAYLEAVE_BUILD", "build")


def test_every_row_of_the_bench_does_its_work(tmp_path):
    if not (BUILT / "tests" / "bench" / "load").exists():
        pytest.fail("the bench is not built: make check builds it")
    out = tmp_path / "bench.json"
    argv = [sys.executable, "-m", "bench.run", "--smoke", "--no-peers"]
    done = subprocess.run(
        [*argv, "--json", str(out)],
        env={**os.environ, "PYTHONPATH": str(paths.REPO / "tests")},
        cwd=paths.REPO,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = {r["row"]: r for r in json.loads(out.read_text())["rows"]}
    assert set(rows) == {kind.name for kind in ROWS}
    for name, row in rows.items():
        assert row["medians"], name
        for metric, by in row["medians"].items():
            assert by[OURS] > 0, (name, metric)
            for who, rounds in row["rounds"][metric].items():
                assert all(v is not None for v in rounds), (name, who)
