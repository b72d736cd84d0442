"""One request in six ways: the same verdict, code and rule each time."""

import json
import os
import random

from lab import paths

REQUESTS = 100_000 if paths.FULL else 10_000
# Where a run has not met each of these, it has not looked.
CODES = [
    "HOST_NOT_ALLOWED",
    "PORT_NOT_ALLOWED",
    "WORKLOAD_NOT_ALLOWED",
    "RULE_DENIES",
    "EXCEPTION_EXPIRED",
    "IP_LITERAL",
    "PRIVATELINK_NAME",
    "PUBLIC_ADDRESS",
    "MIXED_ADDRESSES",
    "UNEXPECTED_PRIVATE",
    "RESERVED_ADDRESS",
    "NO_PRIVATE_ZONE",
    "WRONG_ZONE",
    "DNS_NXDOMAIN",
    "DNS_NODATA",
]

# Of what only a request in plain sight can be refused for.
INSIDE = ["METHOD_NOT_ALLOWED", "PATH_NOT_ALLOWED", "SAS_REFUSED"]
INSIDE += ["BAD_REQUEST"]


def test_all_ways_of_asking_agree(azure):
    """Set WAYLEAVE_SEED to run a printed seed again."""
    seed = os.environ.get("WAYLEAVE_SEED") or str(random.getrandbits(32))
    requests = int(os.environ.get("WAYLEAVE_REQUESTS") or REQUESTS)
    result = azure.run_as(
        "root",
        [paths.PYTHON, "-m", "lab.differ.run", seed, requests],
        env={"PYTHONPATH": str(paths.SRC / "tests")},
        timeout_s=3000,
    )
    print(result.out, result.err)
    assert result.code == 0, result.out[-8000:] + result.err[-4000:]
    lines = result.out.splitlines()
    assert json.loads(lines[-1]) == {"requests": requests, "differ": 0}
    met = {tuple(x.split()[2:]) for x in lines if x.startswith("#  ")}
    for way in ("connect", "forward", "socks5"):
        for code in CODES:
            assert (way, "deny", code) in met, (way, code)
        assert (way, "allow") in met
        assert (way, "allow", "PUBLIC_ADDRESS") in met  # in report mode
    for code in INSIDE:
        assert ("forward", "deny", code) in met, code
    for code in INSIDE[:-1]:
        assert ("inspect", "deny", code) in met, code
    assert ("inspect", "allow") in met
    assert ("forward", "allow", "METHOD_NOT_ALLOWED") in met
    assert ("forward", "allow", "PATH_NOT_ALLOWED") in met
    assert ("forward", "deny", "PLAINTEXT") in met
    for way in ("connect", "socks5"):
        assert (way, "deny", "SNI_MISMATCH") in met
        assert (way, "deny", "METHOD_NOT_ALLOWED") in met
