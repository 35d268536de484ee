"""The steps where a package has put program and units in place: what is left to do on a host."""

from __future__ import annotations

from textfile_users import product as places
from textfile_users.setup.plan_units import below, remove, systemctl
from textfile_users.setup.steps import command, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.setup.facts import HostFacts
    from textfile_users.setup.steps import Step

ENABLED_TEXT = (
    "# Of `textfile-users install --packaged`: it has enabled timer and path unit once.\n"
)


def compile_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what compiles the modules. The scans go on: an upgrade that is cut off stops none."""
    yield command(f"{facts.prefix}/bin/compile")


def start_packaged(facts: HostFacts) -> Iterator[Step]:
    """Yield what starts the package's units, now and at boot.

    Once: an upgrade starts nothing that an administrator has disabled since.
    """
    if facts.is_booted:
        yield command("systemctl", "daemon-reload")
    if places.ENABLED in facts.present:
        return
    now = ("--now",) if facts.is_booted else ()
    yield systemctl(facts, "enable", *now, *places.STARTERS)
    yield write(below(facts, places.ENABLED), ENABLED_TEXT)


def stop_packaged(facts: HostFacts) -> Iterator[Step]:
    """Yield what stops the package's units, now and at boot."""
    if facts.is_systemd and "systemctl" in facts.tools:
        yield systemctl(facts, "disable", *places.STARTERS)
        if facts.is_booted:
            yield command("systemctl", "stop", *places.STARTERS, places.SERVICE)
    yield from remove(facts, (places.ENABLED,))
