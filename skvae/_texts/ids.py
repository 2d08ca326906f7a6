"""The reserved token ids."""

from __future__ import annotations

UNKNOWN_ID = 1
BOUNDARY_ID = 2
FIRST_TOKEN_ID = 3
