"""What the modules that follow files share, replaced in each of them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from textfile_users.reading import compressed, follow, lines, plain, position, rotation, search

MODULES = (compressed, follow, lines, plain, position, rotation, search)


def original(name: str) -> Any:
    """Return what a name of these modules stands for."""
    return next(getattr(module, name) for module in MODULES if hasattr(module, name))


def replace(patch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """Let ``name`` stand for ``value`` in each module that has it."""
    for module in MODULES:
        if hasattr(module, name):
            patch.setattr(module, name, value)


def watched_reads(patch: pytest.MonkeyPatch) -> list[int]:
    """Return the list to which each pread(2) from now on adds how many bytes it asks for."""
    asked = []
    pread = os.pread

    def watch(descriptor: int, length: int, offset: int) -> bytes:
        asked.append(length)
        return pread(descriptor, length, offset)

    patch.setattr(os, "pread", watch)
    return asked
