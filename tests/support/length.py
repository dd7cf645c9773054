"""How much of what is long a run does: all of it with `SOAK=long`, which `make soak` sets."""

from __future__ import annotations

import os

LONG = os.environ.get("SOAK") == "long"
