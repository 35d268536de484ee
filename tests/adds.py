"""What things that are done add to the samples of real hosts: the tests in e2e, and the guests'.

Of the standard library alone, for the guests' Python may have nothing else.
"""

from __future__ import annotations

from collections import Counter

# Samples that are zero until something happens.
FAMILIES = (
    "users_auth_successes_total",
    "users_auth_failures_total",
    "users_auth_probes_total",
    "users_escalations_total",
    "users_escalation_failures_total",
    "users_logins_total",
    "users_session_duration_seconds_count",
)


def login(method: str, user: str, number: int = 1) -> Counter[str]:
    """Return what so many logins by sshd add."""
    return Counter(
        {
            f'users_auth_successes_total{{method="{method}",program="sshd",user="{user}"}}': number,
            f'users_logins_total{{session_type="ssh",user="{user}"}}': number,
        }
    )


def ended(number: int = 1) -> Counter[str]:
    """Return what the ends of so many sessions of sshd add."""
    return Counter({'users_session_duration_seconds_count{session_type="ssh"}': number})


def failures(method: str, user: str, number: int = 1) -> Counter[str]:
    """Return what `number` refused passwords of sshd add; `user` is "" for unknown names."""
    labels = f'method="{method}",program="sshd",user="{user}"'
    return Counter({f"users_auth_failures_total{{{labels}}}": number})


def probe(kind: str) -> Counter[str]:
    """Return what one connection to sshd that was given up adds."""
    return Counter({f'users_auth_probes_total{{kind="{kind}",program="sshd"}}': 1})


def escalation(program: str, user: str, target: str, result: str) -> Counter[str]:
    """Return what one sudo or su adds."""
    family = "users_escalations" if result == "success" else "users_escalation_failures"
    labels = f'program="{program}",target_user="{target}",user="{user}"'
    return Counter({f"{family}_total{{{labels}}}": 1})
