"""Keyed hashes in place of names and addresses."""

from __future__ import annotations

FIELDS = ("user", "host", "ip")
