"""The script people write instead: utmp by psutil, a registry, write_to_textfile."""

import sys

import psutil
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

registry = CollectorRegistry()
logged_in = Gauge("peer_logged_in", "Distinct users.", registry=registry)
sessions = Gauge("peer_sessions", "Sessions by user.", ["user"], registry=registry)
info = Gauge("peer_session_info", "A session.", ["user", "tty", "host"], registry=registry)
users = psutil.users()
logged_in.set(len({user.name for user in users}))
for user in users:
    sessions.labels(user.name).inc()
    info.labels(user.name, user.terminal or "", user.host or "").set(1)
write_to_textfile(sys.argv[1], registry)
