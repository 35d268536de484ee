"""The programs whose messages count, and what a message of one of them says."""

from __future__ import annotations

from textfile_users.auth.finding import UNMATCHED, Finding, Forms, first_finding, number
from textfile_users.auth.pam import find as find_pam

# A program's name in the log, and the module that knows its messages; '' knows PAM's alone.
PROGRAMS = {
    b"sshd": "sshd",
    b"sshd-session": "sshd",
    b"sshd-auth": "sshd",
    b"dropbear": "dropbear",
    b"sudo": "sudo",
    b"su": "su",
    b"su-l": "su",
    b"doas": "doas",
    b"pkexec": "polkit",
    b"polkitd": "polkit",
    b"polkit-agent-helper-1": "",
    b"login": "login",
    b"agetty": "login",
    b"gdm": "",
    b"gdm3": "",
    b"gdm-password": "",
    b"gdm-autologin": "",
    b"gdm-fingerprint": "",
    b"gdm-smartcard": "",
    b"gdm-session-worker": "",
    b"lightdm": "",
    b"sddm": "",
    b"sddm-helper": "",
    b"xrdp-sesman": "",
}
_NO_FORMS: Forms = {}
_REPEATED = b"message repeated "
_LEVELS = (b"error:", b"fatal:")


def find(program: bytes, message: bytes) -> Finding:
    """Return what a ``message`` of ``program``, one of PROGRAMS, says."""
    if message.startswith(b"pam_"):
        return find_pam(program, message)
    forms = _forms(PROGRAMS[program])
    word, _, rest = message.partition(b" ")
    found = first_finding(forms.get(word) or forms.get(b"", ()), message)
    if found is not UNMATCHED:
        return found
    if word in _LEVELS:
        inner = find(program, rest)
        return inner if inner is not UNMATCHED else first_finding(forms.get(word, ()), message)
    if message.startswith(_REPEATED):
        return _repeated(program, message)
    return UNMATCHED


def _repeated(program: bytes, message: bytes) -> Finding:
    """Return what ``message repeated N times: [ MESSAGE]``, as rsyslog writes it, says."""
    times, bracket, inner = message[len(_REPEATED) :].partition(b" times: [")
    if not (bracket and times.isdigit() and inner.endswith(b"]")):
        return UNMATCHED
    inner = inner[:-1].lstrip(b" ")
    if inner.startswith(_REPEATED):
        return UNMATCHED
    return find(program, inner)._replace(times=number(times))


def _forms(module: str, known: dict[str, Forms] = {"": _NO_FORMS}) -> Forms:  # noqa: B006
    """Return a module's patterns; it is imported when a host has its program."""
    forms = known.get(module)
    if forms is None:
        found = __import__(f"textfile_users.auth.{module}", fromlist=["FORMS"])
        forms = known[module] = found.FORMS
    return forms
