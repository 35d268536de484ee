"""What users do on a guest of `script/test-guests`, beside what the guest's own tools say of it."""

from __future__ import annotations

import re
import subprocess
import time

from tests.guests.guest import PATIENCE, PROGRAM, Guest

BURN_SECONDS = 20
HELD = 64 << 20
# Burns CPU, holds memory, and then sleeps, so that all figures stand still.
BURNER = (
    f"import itertools, time; held = bytearray({HELD}); end = time.time() + {BURN_SECONDS}; "
    "any(time.time() > end for _ in itertools.count()); time.sleep(600)"
)
# What an unprivileged user lacks is said with the mend.
NOBODY = "runuser -u nobody -- env HOME=/tmp/nobody"


def check_usage(guest: Guest, fifo: str, line: str) -> None:
    """Alice burns CPU and holds memory on her terminal `line`, and bob without a terminal."""
    before = _used(guest)
    with open(fifo, "w") as file:
        file.write(f"python3 -c '{BURNER}'\n")
    bob = subprocess.Popen(
        [guest.vm, "ssh", f"bob@{guest.suite}", f'python3 -c "{BURNER}"'],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_until_they_sleep(guest)
        after = _used(guest)
        for user in ("alice", "bob"):
            counted, in_cgroup = (
                later - earlier for earlier, later in zip(before[user], after[user])
            )
            right = in_cgroup > BURN_SECONDS / 4 and abs(counted - in_cgroup) <= 1 + in_cgroup / 20
            found = f"{counted:.2f}, its slice says {in_cgroup:.2f}"
            guest.check(f"CPU seconds of {user}", right, found)
            _check_processes(guest, user)
        _check_session(guest, line)
        _check_connections(guest)
        _check_as_root(guest)
        _check_as_nobody(guest)
    finally:
        bob.terminate()
        bob.wait()
        guest.sh("pkill -f '[b]ytearray'; true")


def _used(guest: Guest) -> dict[str, tuple[float, float]]:
    """Return what was counted for each user, and what the user's slice has used, when still."""
    _next_scan(guest)
    samples = guest.samples()
    return {
        user: (
            samples.get(f'users_cpu_seconds_total{{user="{user}"}}', 0.0),
            _slice_seconds(guest, user),
        )
        for user in ("alice", "bob")
    }


def _slice_seconds(guest: Guest, user: str) -> float:
    path = f"/sys/fs/cgroup/user.slice/user-$(id -u {user}).slice/cpu.stat"
    found = re.search(r"usage_usec (\d+)", guest.sh(f"cat {path} 2>/dev/null; true"))
    return int(found[1]) / 1e6 if found else 0.0


def _next_scan(guest: Guest) -> None:
    began = guest.now()
    end = time.monotonic() + PATIENCE
    while guest.samples()["users_run_timestamp_seconds"] < began and time.monotonic() < end:
        time.sleep(1)


def _wait_until_they_sleep(guest: Guest) -> None:
    end = time.monotonic() + 4 * PATIENCE
    states = ""
    while states.split() != ["S", "S"] and time.monotonic() < end:
        time.sleep(5)
        # Only the two burners: neither a shell nor this command begins so.
        states = guest.sh("ps -C python3 -o stat=,args= | grep bytearray | cut -c1; true")
    time.sleep(5)


def _check_processes(guest: Guest, user: str) -> None:
    """Of the real uid, as ps has them."""
    samples = guest.samples()
    rows = guest.sh(f"ps -U {user} -o rss=").split()
    count = samples.get(f'users_processes{{user="{user}"}}')
    guest.check(f"processes of {user}", count == len(rows), f"{count}, ps says {len(rows)}")
    memory = samples.get(f'users_memory_resident_bytes{{user="{user}"}}', 0.0)
    resident = sum(map(int, rows)) * 1024
    right = memory > HELD and abs(memory - resident) <= resident / 20
    guest.check(f"memory of {user}", right, f"{memory:.0f}, ps says {resident}")


def _check_session(guest: Guest, line: str) -> None:
    """The terminal's session, as its scope, `w` and stat have it."""
    samples = guest.samples()
    labels = next(name for name in samples if f'tty="{line}"' in name and "_info{" in name)
    ident = re.search(r'session="([^"]*)"', labels)
    assert ident
    who = f'{{session="{ident[1]}",user="alice"}}'
    scope = f"/sys/fs/cgroup/user.slice/user-*.slice/session-{ident[1]}.scope/cgroup.procs"
    rows = guest.sh(f"ps -o cputimes= -p $(paste -sd, {scope})").split()
    count = samples.get(f"users_session_processes{who}")
    guest.check("the session's processes", count == len(rows), f"{count}, ps says {len(rows)}")
    seconds = samples.get(f"users_session_cpu_seconds{who}", 0.0)
    used = sum(map(int, rows))  # whole seconds each
    right = used - 1 <= seconds <= used + len(rows) + 1
    guest.check("the session's CPU time", right, f"{seconds}, ps says {used} and fractions")
    words = next(
        (row.split() for row in guest.sh("w -h alice").splitlines() if "bytearray" in row), []
    )
    # An empty field shifts the columns: JCPU and PCPU stand before the command.
    jcpu = _seconds(words[words.index("python3") - 2]) if "python3" in words else -1.0
    guest.check("w's JCPU is within it", 0 < jcpu <= seconds + 1, f"{jcpu}, ours {seconds}")
    last = samples.get(f"users_session_last_activity_timestamp_seconds{who}", 0.0)
    touched = float(guest.sh(f"stat -c %X /dev/{line}"))
    guest.check("last activity", int(last) == touched, f"{last}, stat says {touched}")


def _seconds(text: str) -> float:
    """Return the seconds in a time as `w` writes it: 20.05s, 1:02, 1:02m."""
    major, colon, minor = text.rstrip("sm").partition(":")
    if not colon:
        return float(major)
    unit = 60 if text.endswith("m") else 1
    return (float(major) * 60 + float(minor)) * unit


def _check_connections(guest: Guest) -> None:
    _next_scan(guest)
    count = guest.samples()['users_remote_connections{protocol="ssh"}']
    rows = guest.sh("ss -Htn state established '( sport = :22 )' | wc -l")
    # This very command has a connection of its own, and so had the scan before it.
    guest.check("connections of ssh", abs(count - int(rows)) <= 1, f"{count}, ss says {rows}")


def _check_as_root(guest: Guest) -> None:
    """The unit's user sees what root sees."""
    names = ("users_processes{", "users_session_processes{", "users_account_info{")
    _next_scan(guest)
    theirs = guest.samples()
    command = f"{PROGRAM} --output - --timeout 60 --state-directory /run/as-root"
    ours = guest.samples(f"{command} --runtime-directory /run/as-root")
    both = [
        {name: value for name, value in samples.items() if name.startswith(names)}
        for samples in (ours, theirs)
    ]
    # root's own processes come and go with each command here.
    different = {
        name for name, _ in set(both[0].items()) ^ set(both[1].items()) if 'user="root"' not in name
    }
    guest.check("the same as root and as the unit's user", not different, different or len(both[0]))


def _check_as_nobody(guest: Guest) -> None:
    """What an account without groups may not read is said, and costs its collector alone."""
    guest.sh("install -d -o nobody /tmp/nobody")
    command = f"{NOBODY} {PROGRAM} --output - --timeout 60 --state-directory /tmp/nobody/state"
    command += " --runtime-directory /tmp/nobody/run"
    said = guest.sh(f"{command} 2>&1 >/tmp/nobody/prom")
    group = "adm" if guest.has_log_file else "systemd-journal"
    guest.check("nobody is told which group", f"see group {group}" in said, said.strip())
    samples = guest.samples("cat /tmp/nobody/prom")
    success = {
        name: samples[f'users_collector_success{{collector="{name}"}}']
        for name in ("auth", "sessions", "processes", "connections", "accounts")
    }
    right = success.pop("auth") == 0 and set(success.values()) == {1}
    guest.check("nobody lacks the log alone", right, success)
