"""What a CONNECT may name: rows 1 to 68 of the table of hostile inputs."""

import json

import pytest

from corpora import authorities
from lab import paths


@pytest.fixture(scope="module")
def answers(_session_agent):
    asked = {row: texts for row, (texts, _) in authorities.ROWS.items()}
    result = _session_agent.lab.run_as(
        "alice",
        [paths.PYTHON, "-m", "corpora.authorities", "127.0.0.1:3180"],
        env={"PYTHONPATH": str(paths.SRC / "tests")},
        stdin=json.dumps(asked),
    )
    assert result.code == 0, result
    return json.loads(result.out)


@pytest.mark.parametrize("row", authorities.ROWS)
def test_an_authority_has_its_answer(answers, row):
    texts, fitting = authorities.ROWS[row]
    for text, answer in zip(texts, answers[str(row)], strict=True):
        assert tuple(answer) in fitting, text
