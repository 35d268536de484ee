"""Runs the program without its threads: strace counts the calls of each thread apart.

So the N-th call of a kind is one call of the whole scan, and every one can be addressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from textfile_users import __main__, snapshot
from textfile_users import run as collect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Value = TypeVar("Value")


def within(seconds: float, function: Callable[[], Value]) -> Value:
    return function()


def newest_until(end: Callable[[], float], values: Iterator[Value]) -> tuple[list[Value], bool]:
    return list(values)[-1:], True


vars(collect)["within"] = within
vars(snapshot)["newest_until"] = newest_until
__main__.run()
