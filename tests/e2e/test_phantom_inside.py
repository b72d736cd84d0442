"""A phantom brought inside of an inspected tunnel is judged as at a gateway."""

import pytest
import test_phantom as phantom

from lab import gateways, names


@pytest.fixture(scope="module")
def inside(gates):
    gates.reload(rules=phantom.policy(*phantom.EVERY))
    yield gateways.Tunnels(gates.agent)
    gates.reload(rules=gateways.policy())


@pytest.mark.parametrize(
    "test",
    [
        phantom.test_replayed_by_another_user_or_unit_it_is_refused,
        phantom.test_beside_another_credential_it_is_refused,
        phantom.test_one_revoked_spares_the_others,
    ],
    ids=lambda t: t.__name__[5:],
)
def test_a_tunnel_takes_it_as_a_gateway_does(inside, test):
    test(inside)


def test_at_another_host_or_audience_it_is_refused(inside):
    token = phantom.take(inside)["access_token"]
    for to in ("cold", "databricks", "mlflow"):
        phantom.refused(inside, "TOKEN_AUDIENCE", token, to)
    token = phantom.take(inside, names.ML_AUDIENCE)["access_token"]
    phantom.refused(inside, "TOKEN_AUDIENCE", token)
