"""Words that syslogds write into each line."""

from __future__ import annotations

MONTHS = b"JanFebMarAprMayJunJulAugSepOctNovDec"
WEEKDAYS = b"MonTueWedThuFriSatSun"
REPEATED = b"last message repeated"
# As C libraries name them (glibc 2.41 and musl 1.2 syslog.h).
FACILITIES = frozenset(
    b"auth authpriv cron daemon ftp kern lpr mail mark news security syslog user uucp"
    b" local0 local1 local2 local3 local4 local5 local6 local7".split()
)
SEVERITIES = frozenset(
    b"alert crit debug emerg err error info none notice panic warn warning".split()
)
