"""Where things are put on a host."""

from __future__ import annotations

from textfile_users.paths import LINKED_OUTPUT as LINKED_OUTPUT
from textfile_users.paths import OUTPUT_NAME as OUTPUT_NAME
from textfile_users.paths import PRIVATE as PRIVATE
from textfile_users.paths import PUBLIC as PUBLIC
from textfile_users.paths import REDACT_KEY as REDACT_KEY
from textfile_users.paths import RUN as RUN
from textfile_users.paths import SERVICE_UNIT, SERVICE_USER
from textfile_users.paths import STATE as STATE

USER = SERVICE_USER
SETTINGS = "/etc/default/textfile-users"
GROUPS = ("adm", "systemd-journal")  # of the logs' files, where a host has them
BTMP_GROUP = "utmp"  # can write utmp, wtmp and btmp too: for where failures are in btmp alone
PREFIX = "/opt/textfile-users"
PACKAGE = "/usr/lib/textfile-users"  # where packages put the program
PACKAGED = f"{PACKAGE}/pyvenv.cfg"  # is there where a package is installed
# Where `install --runtime-file` of before has put the file and led an absolute link.
OLD_OUTPUT = f"{RUN}/{OUTPUT_NAME}"
CONFIGURATION = REDACT_KEY.rpartition("/")[0]
# What was there before, and what was made: root's, for what it says is done by root.
RECORD = f"{CONFIGURATION}/installed"
# A package has enabled its units: an upgrade leaves alone what was disabled since.
ENABLED = f"{CONFIGURATION}/enabled"

# By path what shells and man(1) find, and where it leads to in the environment.
LINKS = {
    "/usr/local/bin/textfile-users": "bin/textfile-users",
    "/usr/local/share/man/man1/textfile-users.1": "share/man/man1/textfile-users.1",
}

UNIT_DIRECTORY = "/etc/systemd/system"
SERVICE = SERVICE_UNIT
STARTERS = ("textfile-users.timer", "textfile-users.path")
UNITS = tuple(f"{UNIT_DIRECTORY}/{name}" for name in (SERVICE, *STARTERS))
DROP_INS = f"{UNIT_DIRECTORY}/{SERVICE}.d"
DROP_IN = f"{DROP_INS}/install.conf"
# Of a package's timer, where systemd does not know all of it.
TIMER_DROP_INS = f"{UNIT_DIRECTORY}/{STARTERS[0]}.d"
TIMER_DROP_IN = f"{TIMER_DROP_INS}/install.conf"
PTRACE = f"{DROP_INS}/ptrace.conf"  # for those who want it
SYSUSERS = "/etc/sysusers.d/textfile-users.conf"
TMPFILES = "/etc/tmpfiles.d/textfile-users.conf"
CRON_D = "/etc/cron.d"
CRONTABS = ("/etc/crontabs", "/var/spool/cron/crontabs")  # busybox's, by how it was built
CRON_ENTRIES = tuple(f"{directory}/{USER}" for directory in (CRON_D, *CRONTABS))
UNIT_FILES = (*UNITS, DROP_IN, TIMER_DROP_IN, TMPFILES)
# Before there was install, the sysusers file went to /usr/lib.
SYSUSERS_FILES = (SYSUSERS, "/usr/lib/sysusers.d/textfile-users.conf")
OTHER_FILES = (*SYSUSERS_FILES, SETTINGS)
OWN_TREES = (STATE, RUN, CONFIGURATION)
# What the system's tools write that are given an image's root.
BY_TOOLS = (
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    f"{UNIT_DIRECTORY}/timers.target.wants",
    f"{UNIT_DIRECTORY}/paths.target.wants",
)
