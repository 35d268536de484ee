"""Cockpit's login (cockpit 337, src/session/session.c): PAM tells of it, with the address.

What cockpit-session writes itself tells of accounts that may not come in, where PAM is silent.
"""

from __future__ import annotations

from textfile_users.auth.patterns import Pattern, forms, irrelevant, name
from textfile_users.auth_event import FAILURE, Finding, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def _refused(match: Match[bytes]) -> Finding:
    return finding(FAILURE, "cockpit", method="pam", user=name(match[1]), account="valid")


FORMS = forms(
    # warnx(3) puts the program's name before it.
    # + cockpit-session: user account access failed: 7 bob: Authentication failure
    # + user account access failed: 6 bob: Permission denied
    # = cockpit failure method=pam user=bob account=valid
    # + cockpit-session: user account access failed: 6 x: y: Permission denied
    # = cockpit failure method=pam user='x: y' account=valid
    # - user account access failed: bob: Permission denied
    # - user account access failed: 7 bob
    # - x user account access failed: 7 bob: Permission denied
    # - cockpit-session: user account access failed:  bob: Authentication failure
    # - cockpit-session: user account access failed: 7 bob: Authentication failure:
    (
        b"cockpit-session: user",
        Pattern(
            rb"(?:cockpit-session: )?user account access failed: \d+ (.*): [^:]*",
            _refused,
        ),
    ),
    # + cockpit-session: pam: Your account has expired
    # + New connection to session from 192.0.2.7
    # + logged in user session
    # = irrelevant
    # -
    (b"", Pattern(rb".+", irrelevant)),
)
