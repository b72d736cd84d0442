"""Starts the replay inside a lab, from outside of it."""

import json

from lab import names, paths, zones


def replay(
    lab, kind, *words, proxy, name=zones.CORPORA, port=zones.CORPORA_PORTS[0]
):
    """{group: [what went wrong]}; see run.py."""
    result = lab.run_as(
        "alice",
        [
            paths.PYTHON,
            "-m",
            "corpora.run",
            kind,
            proxy,
            names.CASES_ADDRESS,
            port,
            name,
            *words,
        ],
        env={"PYTHONPATH": str(paths.SRC / "tests")},
        timeout_s=300,
    )
    assert result.code == 0, result
    return json.loads(result.out)
