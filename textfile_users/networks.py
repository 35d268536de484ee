"""Names for the networks that sessions are from."""

from __future__ import annotations

from textfile_users.record import Record


class Network(Record):
    """A network and its name."""

    name: str
    cidr: str


def parse_network(text: str) -> Network:
    """Return what ``NAME=CIDR`` says. Raises ValueError with what is wrong."""
    name, _, cidr = text.partition("=")
    return Network(name, cidr)
