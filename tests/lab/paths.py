"""Where things are, outside and inside the lab's mount namespace."""

import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

# Test corpora of other projects; the folder may be missing.
OTHERS = Path(
    os.environ.get("WAYLEAVE_CORPORA", REPO.parent / "shared" / "corpora")
)

# Inside, every path is the same on every machine, and can be traversed by
# the lab's plain users even where the checkout lies in a private folder.
INSIDE = Path("/run/wayleave-lab")
SRC = INSIDE / "src"
STATE = INSIDE / "state"
CGROUP = INSIDE / "cgroup"
HOME = INSIDE / "home"
PYTHON = SRC / ".venv" / "bin" / "python"

CA_FILE = STATE / "ca.pem"
CERT_FILE = STATE / "server.pem"
KEY_FILE = STATE / "server.key"

# `./bootstrap check-full` runs every loop at its full size.
FULL = os.environ.get("WAYLEAVE_SIZE") == "full"
