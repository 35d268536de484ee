"""The `users` set as sums: nothing by user, session, address or account (docs/metrics.md)."""

from __future__ import annotations

from textfile_users.counting import ESCALATION_FAILURES, ESCALATIONS, LOGINS, USERS
from textfile_users.metrics import users
from textfile_users.metrics.family import Family, Sample
from textfile_users.metrics.users import FAMILIES
from textfile_users.sessions.session import TYPES, Session
from textfile_users.snapshot import Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.counting import Series

# Families with one of these labels have nothing to add up; nor has the time of a user's login.
_SINGLE = {"session", "remote_ip", "uid"}
LEFT_OUT = {
    "users_last_login_timestamp_seconds",
    *(name for name, (_, labels) in FAMILIES.items() if not _SINGLE.isdisjoint(labels)),
}
_ESCALATING = ("sudo", "su", "doas", "pkexec", "polkit", "run0")


def families(snapshot: Snapshot) -> Iterator[Family]:
    """Yield the set's families with sums under ``user=""``, those of single things left out."""
    people = float(len({session.user for session in snapshot.sessions or ()}))
    for one in users.families(_summed(snapshot), LEFT_OUT):
        if one.name == "users_logged_in":
            yield one._replace(samples=[Sample(one.name, {}, people)])
        elif one.name not in LEFT_OUT:
            yield one


def _summed(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with everything of one user, whose name is ''.

    Before any bound on users is applied, so that nobody is missing in a sum; what is left out
    of the families is left out here, too.
    """
    cpu, usages = snapshot.cpu_seconds, snapshot.usages
    sessions, slices = snapshot.sessions, snapshot.slices
    return snapshot._replace(
        sessions=None if sessions is None else tuple(_anonymous(one) for one in sessions),
        recent=tuple(("", type_) for _, type_ in snapshot.recent),
        counters=_counters(snapshot),
        failures={},
        last_logins={},
        accounts=None,
        activities=None,
        cpu_seconds=None if cpu is None else {"": sum(cpu.values())},
        usages=None
        if usages is None
        else {
            "": (
                sum(memory for memory, _ in usages.values()),
                sum(count for _, count in usages.values()),
            )
        },
        root="",
        slices=None if slices is None else {"": slices.get("", {})},
        slices_dropped=0,
    )


def _anonymous(session: Session) -> Session:
    return Session("", "", "", session.type, session.service, "", "", "", 0.0, 0, "")


def _counters(snapshot: Snapshot) -> dict[Series, float]:
    """Return the counters without users; zeros so that increase() sees the first event."""
    counters: dict[Series, float] = {(LOGINS, "", type_): 0.0 for type_ in TYPES}
    for program in _ESCALATING:
        for family in (ESCALATIONS, ESCALATION_FAILURES):
            counters[family, program, "", ""] = 0.0
    for series, count in snapshot.counters.items():
        places = USERS.get(series[0], ())
        key = tuple("" if place in places else text for place, text in enumerate(series))
        counters[key] = counters.get(key, 0.0) + count
    return counters
