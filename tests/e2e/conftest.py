"""One lab for the whole run; its public counters must end as they began."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lab


@pytest.fixture(scope="session")
def azure():
    """The lab, all well."""
    with lab.up() as running:
        yield running


@pytest.fixture
def imds(azure):
    """The metadata service's switch; all is well again afterwards."""
    yield azure.imds
    azure.call("imds_reset")
