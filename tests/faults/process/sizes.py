"""How much each test does: a small size in check, the full one elsewhere."""

import os

FULL = os.environ.get("WAYLEAVE_SIZE") == "full"


def size(check, full):
    return full if FULL else check


HEAD_MS = size(check=4000, full=10000)
