"""What is done on a guest of `script/test-guests`, and what it must add to the counters."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.adds import ended, escalation, failures, login, probe
from tests.guests.guest import PATIENCE, PROGRAM, Guest

REBOOTS: Counter[str] = Counter({'users_reboots_total{kind="clean"}': 1})
DURATION = 'users_session_duration_seconds_sum{session_type="ssh"}'
UNTRUSTED = 'users_auth_log_lines_total{result="untrusted",source="journal"}'
# What alice may have the journal say, and nobody may believe. Escalations of her own she can feign.
FORGED = (
    "logger -t sshd 'Accepted password for root from 192.0.2.66 port 1 ssh2'",
    "logger -t sshd-session 'Accepted publickey for bob from 192.0.2.66 port 1 ssh2'",
    "logger -t sshd 'Failed password for root from 192.0.2.66 port 1 ssh2'",
    "logger -t sshd-session 'Connection closed by 192.0.2.66 port 1 [preauth]'",
    "logger -t sudo 'bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh'",
    "logger -t su '(to root) bob on pts/0'",
    "systemd-cat -t sshd echo 'Accepted password for root from 192.0.2.66 port 1 ssh2'",
)

# What is done on a guest, and what that adds to the samples.
Act = Callable[[Guest], object]
Step = tuple[str, Act, "Counter[str]"]


def password(user: str, word: str) -> Act:
    """Return what tries to log in with a password."""
    return lambda guest: guest.attempt("pw", f"{user}@{guest.suite}", word, "id")


def key(user: str, command: str, options: str = "") -> Act:
    """Return what logs in with a key and runs a command."""
    return lambda guest: guest.attempt("ssh", f"{user}@{guest.suite}", command, VM_SSH_OPTS=options)


def raw(said: bytes) -> Act:
    """Return what connects to sshd, says something that is no SSH, and hangs up."""

    def act(guest: Guest) -> None:
        port = re.search(r"SSH_PORT=(\d+)", guest.call("port", guest.suite))
        assert port
        with socket.create_connection(("127.0.0.1", int(port[1])), PATIENCE) as sock:
            sock.recv(100)
            sock.sendall(said)
            if said:
                sock.recv(100)

    return act


NO_METHOD = "-o PubkeyAuthentication=no -o PreferredAuthentications=none"
BY_KEY = login("publickey", "alice") + ended()


def by_alice(program: str, target: str = "root", result: str = "success") -> Counter[str]:
    """Return what a sudo or su adds that alice calls over ssh."""
    return BY_KEY + escalation(program, "alice", target, result)


STEPS: list[Step] = [
    ("password of bob", password("bob", "pw"), login("password", "bob") + ended()),
    ("key of alice, no PTY", key("alice", "true"), BY_KEY),
    ("key of alice, PTY", key("alice", "tty", "-tt"), BY_KEY),
    ("wrong password, valid user", password("alice", "wrong"), failures("password", "alice")),
    ("wrong password, root", password("root", "wrong"), failures("password", "root")),
    ("wrong password, unknown user", password("mallory", "wrong"), failures("password", "")),
    ("no password, unknown user", key("mallory", "", NO_METHOD), probe("closed")),
    ("dropped at once", raw(b""), probe("closed")),
    ("no SSH at all", raw(b"GET / HTTP/1.0\r\n\r\n"), probe("protocol")),
    ("sudo", key("alice", "echo pw | sudo -S true"), by_alice("sudo")),
    ("sudo, PTY", key("alice", "echo pw | sudo -S -u bob true", "-tt"), by_alice("sudo", "bob")),
    ("sudo, wrong password", key("alice", "echo wrong | sudo -kS true"),
     by_alice("sudo", result="failure")),
    ("sudo, not allowed", key("bob", "echo pw | sudo -S true"),
     login("publickey", "bob") + ended() + escalation("sudo", "bob", "root", "failure")),
    ("su", key("alice", "echo pw | su bob -c true"), by_alice("su", "bob")),
    ("su -, PTY", key("alice", "(sleep 5; echo pw) | su - bob -c true", "-tt"),
     by_alice("su", "bob")),
    ("su, wrong password", key("alice", "echo wrong | su -c true"),
     by_alice("su", result="failure")),
    ("su by root", lambda guest: guest.sh("su alice -c true"),
     escalation("su", "root", "alice", "success")),
]  # fmt: skip
# Ways in that are no SSH, and such as are no login.
AT_HOST = Counter(
    {
        'users_logins_total{session_type="tty",user="alice"}': 1,
        'users_session_duration_seconds_count{session_type="tty"}': 1,
    }
)
LOCAL: list[Step] = [
    ("login on a terminal",
     lambda guest: guest.sh("(sleep 12; echo exit) | script -qec 'exec login -f alice' /dev/null"),
     AT_HOST),
    ("systemd-run of a login",
     lambda guest: guest.sh(
         "script -qec 'systemd-run -q --pty --uid=alice -p PAMName=login sleep 12' /dev/null"),
     AT_HOST),
    ("a command of systemd-run with a terminal",
     lambda guest: guest.sh("script -qec 'systemd-run -q --pty --uid=alice sleep 6' /dev/null"),
     Counter()),
    ("runuser -l", lambda guest: guest.sh("runuser -l alice -c 'sleep 6'"), Counter()),
    ("a job of cron",
     lambda guest: guest.sh(
         "echo '* * * * * alice sleep 5' >/etc/cron.d/job; sleep 70; rm /etc/cron.d/job"),
     Counter()),
]  # fmt: skip
# A command that looks like the lines that tell of one, and so long that sudo-rs splits it.
LONG = "alice : TTY=pts/0 ; PWD=/ ; USER=bob ; COMMAND=/bin/id [...] " * 40
# What only the newest hosts have.
NEWEST: list[Step] = [
    ("sudo-rs", key("alice", "echo pw | sudo-rs -S true"), by_alice("sudo")),
    ("sudo-rs, PTY", key("alice", "echo pw | sudo-rs -S -u bob true", "-tt"),
     by_alice("sudo", "bob")),
    ("sudo-rs, the second password is right",
     key("alice", r"printf 'wrong\npw\n' | sudo-rs -S true"),
     by_alice("sudo")),
    ("sudo-rs, a long command", key("alice", f"echo pw | sudo-rs -S echo '{LONG}'"),
     by_alice("sudo")),
    ("su-rs by root", lambda guest: guest.sh("su-rs alice -c true"),
     escalation("su", "", "alice", "success")),
    # Its session is no login, nor is an account that is made.
    ("run0 for a while", lambda guest: guest.sh("run0 --user=alice sleep 20"),
     escalation("run0", "", "alice", "success")),
    ("useradd, passwd and others", lambda guest: guest.sh(ACCOUNTS), Counter()),
]  # fmt: skip
ACCOUNTS = """useradd carl; echo carl:pw | chpasswd; usermod -aG sudo carl; passwd -l carl
gpasswd -d carl sudo; userdel carl"""
EXEMPT = "/etc/ssh/sshd_config.d/20-vm-penalties.conf"  # the address from which we come
RELOAD = "systemctl reload ssh; sleep 3"
LOAD = [STEPS[number] for number in (0, 3, 1, 5, 2, 9, 4, 13)] * 2
AT_ONCE = 3


def check_steps(guest: Guest) -> None:
    """Each thing that is done counts once."""
    for what, act, adds in [*STEPS, *LOCAL, *(NEWEST if guest.suite == "sid" else ())]:
        act(guest)
        guest.check_adds(what, adds)


def check_lost_clients(guest: Guest) -> None:
    """A client that is gone ends its login; what the login's own process says is no probe."""
    for user in ("root", "alice"):
        ident, _, output = guest.call("tty", f"{user}@{guest.suite}").split()
        end = time.monotonic() + 4 * PATIENCE
        while not os.path.getsize(output) and time.monotonic() < end:  # until its shell prompts
            time.sleep(1)
        time.sleep(5)
        os.kill(int(ident), signal.SIGKILL)
        guest.check_adds(f"{user}'s client is killed", login("publickey", user) + ended())


def check_penalties(guest: Guest) -> None:
    """sshd shuts out who fails: each refusal is a probe, as its own lines have it.

    For longer than by default: on a slow guest the penalty of one would be over before the next.
    """
    since = guest.sh("date '+%F %T'").strip()
    lines = f"journalctl -q --no-pager -o cat -t sshd -t sshd-session --since '{since}'"
    guest.sh(f"mv {EXEMPT} /root; echo PerSourcePenalties authfail:120s >{EXEMPT}; {RELOAD}")
    try:
        for _ in range(3):
            password("alice", "wrong")(guest)
    finally:
        guest.sh(f"mv /root/{os.path.basename(EXEMPT)} {EXEMPT}; {RELOAD}")
    said = guest.sh(lines).splitlines()
    failed = sum(line.startswith("Failed password for alice ") for line in said)
    dropped = sum(line.startswith("drop connection ") for line in said)
    guest.check("sshd shuts out who fails", failed > 0 < dropped, f"{failed}, then {dropped}")
    adds = Counter(dict.fromkeys(failures("password", "alice"), failed))
    guest.check_adds("its refusals", adds + Counter(dict.fromkeys(probe("penalty"), dropped)))


def check_between_scans(guest: Guest) -> None:
    """A session that begins and ends between two scans counts, with its time and duration."""
    guest.sh("systemctl stop textfile-users.timer textfile-users.path")
    time.sleep(8)  # a scan that has begun
    before = guest.samples()
    began = guest.now()
    key("bob", "sleep 2")(guest)
    end = guest.now()
    time.sleep(12)  # bob's user manager
    scan = "users_run_timestamp_seconds"
    guest.check("no scan meanwhile", guest.samples()[scan] == before[scan], before[scan])
    guest.sh("systemctl start textfile-users.timer textfile-users.path")
    guest.check_adds("a session between two scans", login("publickey", "bob") + ended())
    after = guest.samples()
    last = after['users_last_login_timestamp_seconds{user="bob"}']
    guest.check("its last login", began - 1 <= last <= end, f"{last - began:.2f} s after {began}")
    seconds = after[DURATION] - before[DURATION]
    guest.check("its duration", 2 <= seconds <= end - began, f"{seconds:.2f} s")


def check_forged(guest: Guest, fifo: str) -> None:
    """What alice has a log say from her terminal counts as untrusted and as nothing else."""
    before = guest.samples()[UNTRUSTED]
    with open(fifo, "w") as file:
        file.write("; ".join(FORGED) + "\n")
    guest.check_adds("alice's forged lines", Counter())
    forged = guest.samples()[UNTRUSTED] - before
    guest.check("untrusted lines", forged == len(FORGED), forged)


def check_rotation(guest: Guest) -> None:
    """While many do what they do, the log is rotated twice, and everything counts once."""
    rotate, load = "logrotate -f /etc/logrotate.d/rsyslog", LOAD
    if not guest.has_log_file:
        # A journald that is behind cannot see any more whose line it was (_EXE) when the
        # process has gone: sudo's and su's own then count as untrusted.
        rotate, load = "journalctl --rotate", [step for step in LOAD if "su" not in step[0]]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        acts = [pool.submit(act, guest) for _, act, _ in load]
        for part in (1, 2):
            while sum(done.done() for done in acts) < part * len(acts) // 3:
                time.sleep(0.1)
            guest.sh(rotate)
    total = sum((adds for _, _, adds in load), Counter())
    guest.check_adds(f"{len(load)} things under two of {rotate}", total)


def check_reboot(guest: Guest, open_sessions: int) -> None:
    """A reboot ends what is open, counts once, and takes no counter away."""
    before = guest.sh("cat /proc/sys/kernel/random/boot_id")
    guest.attempt("exec", guest.suite, "systemctl --no-block reboot")  # the agent goes too
    end = time.monotonic() + 300  # not vm.sh's own reboot, for it logs in who knows how often
    while time.monotonic() < end:
        time.sleep(5)
        boot_id = guest.attempt(
            "exec", guest.suite, "cat /proc/sys/kernel/random/boot_id", VM_EXEC_TIMEOUT="10"
        )
        if boot_id not in ("", before):
            break
    guest.attempt("exec", guest.suite, "systemctl is-system-running --wait", VM_EXEC_TIMEOUT="300")
    guest.check_adds("a reboot with open sessions", REBOOTS + ended(open_sessions))
    key("alice", "true")(guest)
    guest.check_adds("a login after it", BY_KEY)


def check_whole_log(guest: Guest) -> None:
    """Every line of the guest's log is of a known form."""
    log = "journalctl -q --no-pager -o short-iso"
    if guest.has_log_file:
        log = "cd /var/log; zcat -f $(ls -tr auth.log*)"
    unmatched = guest.sh(f"({log}) | {PROGRAM} events --unmatched -")
    guest.check("lines that no pattern knows", unmatched == "", unmatched)
    lines = {k: v for k, v in guest.samples().items() if k.startswith("users_auth_log_lines")}
    unknown = [v for k, v in lines.items() if 'result="unmatched"' in k]
    guest.check("as the program counted them", unknown == [0], lines)
