"""Addresses in disguise: none that is special is ever dialled."""

import json

import pytest

from lab import paths


@pytest.mark.parametrize("mode", ["enforce", "report"])
def test_no_spelling_reaches_a_special_address(azure, mode):
    """Everything that is dialled is seen, and the controls are reached."""
    result = azure.run_as(
        "root",
        ["unshare", "-n", paths.PYTHON, "-m", "lab.spelled", mode],
        env={"PYTHONPATH": str(paths.SRC / "tests")},
        timeout_s=300,
    )
    print(result.out, result.err)
    assert result.code == 0, result
    found = json.loads(result.out.splitlines()[-1])
    assert found["authorities"] >= 1500
    assert found["asked"] >= 3 * found["authorities"]
    assert found["special"] == {}
    assert found["wrong"] == []
    # Each control, by each of three ways, before each 250 authorities.
    assert min(found["controls"].values()) >= 3 * 7
    if mode == "enforce":
        assert found["others"] == {}
