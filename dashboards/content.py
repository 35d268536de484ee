"""What the dashboard shows: the panels of each row, and their queries.

`$job`, `$instance` and `$user` are the dashboard's variables; `$__range` and `$__rate_interval`
are Grafana's. Names with colons are of prometheus/recording.yml.
"""

from __future__ import annotations

from collections.abc import Iterable

from grafana_foundation_sdk.models.units import (
    BytesIEC,
    BytesPerSecondIEC,
    DatetimeISO,
    DurationSeconds,
    EventsPerMinute,
    PercentUnit,
    Seconds,
    Short,
)

from dashboards.panels import (
    Column,
    Panel,
    Steps,
    durations,
    lines,
    presence,
    ranking,
    rows,
    states,
    stats,
)

# Selectors: every host of the job, the hosts chosen, and of these the users chosen.
FLEET = 'job=~"$job"'
HOST = f'{FLEET}, instance=~"$instance"'
USER = f'{HOST}, user=~"$user"'
# A series for each user on each host of the fleet.
USER_HOSTS = f'max by (user, instance) (users_sessions{{{FLEET}, user!=""}}) > 0'
# node_exporter's series of our file among those of others.
OURS = r'file=~"(.*/)?users[.]prom"'

WARN: Steps = ((1, "yellow"),)
FAULT: Steps = ((1, "red"),)
# Seconds, as stale_seconds of alerts.yml: what is shown is no longer so.
STALE = 120
AGE: Steps = ((STALE, "red"),)
IDLE: Steps = ((8 * 3600, "yellow"), (24 * 3600, "red"))
BURST: Steps = ((20, "yellow"), (100, "red"))

RANGE = "in the time range above"
NEW = (
    "increase() does not see the first event of a series that is new: of users without a session,"
    " and of methods other than password and publickey."
)
# What stands for an empty label.
NONE = {"user": "(no account)", "remote_network": "(no name)", "family": "(all)"}
NO_LOG = "no log"
FAILURES = "users_auth_failures_total"
REFUSED = "users_escalation_failures_total"
NETWORK = "remote_network"
FIRING = 'alertstate="firing"'
IDLE_TIME = (  # by the host's clock
    f"users_run_timestamp_seconds{{{HOST}}} - on (job, instance) group_right ()"
    f" users_session_last_activity_timestamp_seconds{{{USER}}}"
)


def fleet() -> Iterable[Panel]:
    """Yield the panels of all hosts, whichever are chosen."""
    yield from _fleet_numbers()
    yield lines(
        "Sessions and users by host, summed",
        "Who is on two hosts counts twice here. From recording.yml.",
        {
            f"sum(job_session_type:users_sessions:sum{{{FLEET}}})": "sessions",
            f"sum(job:users_logged_in:sum{{{FLEET}}})": "users",
        },
    )
    yield lines(
        "Refused attempts per minute",
        f"By method, of all hosts. From recording.yml. {NEW}",
        {f"60 * sum by (method) (job_method:users_auth_failures:rate5m{{{FLEET}}})": "{{method}}"},
        unit=EventsPerMinute,
        stacked=True,
    )
    yield ranking(
        "Hosts with most sessions",
        "A click leads to the host.",
        _top(10, f"sum by (instance) (users_sessions{{{FLEET}}})"),
        "{{instance}}",
        is_host=True,
    )
    yield ranking(
        "Hosts with most refused attempts",
        "Of the last hour, by the 20 addresses of each host with most. A click leads to the host.",
        _top(10, f"sum by (instance) (users_auth_failures_last_hour{{{FLEET}}})"),
        "{{instance}}",
        steps=BURST,
        is_host=True,
    )
    yield from _fleet_tables()


def _fleet_numbers() -> Iterable[Panel]:
    age = _age("users_run_timestamp_seconds", FLEET)
    yield stats(
        "Hosts reporting",
        "Hosts whose last scan was within two minutes of when it was scraped.",
        {f"count({age} <= {STALE}) or vector(0)": ""},
    )
    yield stats(
        "Stale hosts",
        "Hosts whose last scan was more than two minutes off: the timer or cron stands still, the"
        " program fails, or the host's clock is not Prometheus's.",
        {f"count({age} > {STALE}) or vector(0)": ""},
        steps=FAULT,
    )
    missing = (
        f"node_textfile_scrape_error{{{FLEET}}}"
        f" unless on (job, instance) users_run_timestamp_seconds{{{FLEET}}}"
    )
    yield stats(
        "Hosts without the file",
        "Hosts whose node_exporter reads text files but has none of ours, or one that it does"
        " not take.",
        {f"count({missing}) or vector(0)": ""},
        steps=WARN,
    )
    yield stats(
        "Hosts with a text file in error",
        "node_exporter could not read one of its text files, of whatever program.",
        {f"count(node_textfile_scrape_error{{{FLEET}}} > 0) or vector(0)": ""},
        steps=FAULT,
    )
    yield stats(
        "Users on",
        "Distinct users with a session somewhere; who is on two hosts counts once.",
        {f"count(count by (user) ({USER_HOSTS})) or vector(0)": ""},
    )
    yield stats(
        "Sessions",
        "Open sessions of all hosts.",
        {_or_zero(f"sum(users_sessions{{{FLEET}}})", f"users_logged_in{{{FLEET}}}"): ""},
    )


def _fleet_tables() -> Iterable[Panel]:
    last_hour = f"users_auth_failures_last_hour{{{FLEET}}}"
    age = _age("users_run_timestamp_seconds", FLEET)
    yield rows(
        "Hosts with the oldest scans",
        "How far each scan was off when it was scraped; one every 5 s is usual.",
        {"A": _top(20, f"max by (instance) ({age})")},
        {
            "instance": Column("Host", link="instance"),
            "Value": Column("Age", DurationSeconds, AGE, 120),
        },
        order="Age",
    )
    yield rows(
        "Users on more than one host",
        "The same name with sessions on several hosts at once.",
        {"A": _top(20, f"count by (user) ({USER_HOSTS}) > 1")},
        {"user": Column("User", link="user"), "Value": Column("Hosts", Short, width=100)},
        order="Hosts",
    )
    hosts_by_ip = f"topk(20, count by (remote_ip) ({last_hour}))"
    yield rows(
        "Addresses that most hosts refused",
        "In the last hour; each host tells its own 20 highest.",
        {"A": hosts_by_ip, "B": f"sum by (remote_ip) ({last_hour}) and {hosts_by_ip}"},
        {
            "remote_ip": Column("Address"),
            "Value #A": Column("Hosts", Short, width=100),
            "Value #B": Column("Refused", Short, BURST, 100),
        },
        order="Hosts",
    )
    yield rows(
        "Versions",
        "Hosts by version of textfile-users and of its Python.",
        {"A": f"count by (version, python) (users_build_info{{{FLEET}}})"},
        {
            "version": Column("Version"),
            "python": Column("Python"),
            "Value": Column("Hosts", Short, width=100),
        },
        order="Hosts",
    )


def who_is_on() -> Iterable[Panel]:
    """Yield the panels of the sessions that are open, and of the alerts that fire."""
    yield from _who_numbers()
    yield from _who_tables()
    yield presence(
        "Who was on",
        "A lane for each user, with the number of sessions; the 30 with most at each time.",
        f"topk(30, sum by (user) (users_sessions{{{USER}}}) > 0)",
        "{{user}}",
    )
    yield lines(
        "Sessions by type",
        "Open sessions.",
        {f"sum by (session_type) (users_sessions{{{USER}}})": "{{session_type}}"},
        stacked=True,
    )
    networks = _named(f"count by (remote_network) (users_session_info{{{USER}}})", NETWORK)
    yield lines(
        "Sessions by network",
        "Where open sessions come from, by the names that --network gives.",
        {networks: "{{remote_network}}"},
        stacked=True,
    )


def _who_numbers() -> Iterable[Panel]:
    yield stats(
        "Users on",
        "Distinct users with a session; who is on two of the hosts counts twice.",
        {f"sum(users_logged_in{{{HOST}}})": ""},
    )
    yield stats(
        "Sessions",
        "Open sessions.",
        {_or_zero(f"sum(users_sessions{{{USER}}})", f"users_logged_in{{{HOST}}}"): ""},
    )
    yield stats(
        "Longest idle",
        "How long ago the last input was on the terminal that has waited longest.",
        {f"max({IDLE_TIME})": ""},
        unit=DurationSeconds,
        steps=IDLE,
        none="no terminal",
    )
    yield stats(
        "Remote connections",
        "Established connections to the hosts' ssh, VNC and RDP servers, logged in or not.",
        {f"sum(users_remote_connections{{{HOST}}})": ""},
    )
    yield stats(
        "Sessions that do not end",
        "Sessions that logind holds as closing: the login is over, some process lives on.",
        {f"sum(users_sessions_closing{{{HOST}}})": ""},
        steps=WARN,
    )
    root = f'{HOST}, user="root"'
    yield stats(
        "Logins as root",
        f"Credentials accepted for root {RANGE}.",
        {_counted("users_auth_successes_total", root): ""},
        steps=WARN,
        none=NO_LOG,
    )


def _who_tables() -> Iterable[Panel]:
    who = "instance, session, user"
    origin = "tty, session_type, program, remote_host, remote_ip, remote_network"
    yield rows(
        "Who is on",
        "A row for each session. The command is there with --session-command only; CPU time is"
        " that of the session's live processes. A click on a host or a user leads to it alone.",
        {
            "A": f"max by ({who}, {origin}) (users_session_info{{{USER}}})",
            "B": f"1000 * max by ({who}) (users_session_start_timestamp_seconds{{{USER}}})",
            "C": f"max by ({who}) ({IDLE_TIME})",
            "D": f"max by ({who}) (users_session_cpu_seconds{{{USER}}})",
            "E": f"max by ({who}) (users_session_processes{{{USER}}})",
            "F": f"max by ({who}, command) (users_session_command_info{{{USER}}})",
        },
        {
            "instance": Column("Host", link="instance"),
            "user": Column("User", link="user"),
            "tty": Column("Terminal", width=90),
            "session_type": Column("Type", width=90),
            "program": Column("Program", width=90),
            "remote_ip": Column("From"),
            "remote_host": Column("From host"),
            "remote_network": Column("Network", width=100),
            "Value #B": Column("Since", DatetimeISO, width=170),
            "Value #C": Column("Idle", DurationSeconds, IDLE, 150),
            "Value #D": Column("CPU time", Seconds, width=100),
            "Value #E": Column("Processes", Short, width=90),
            "command": Column("Command"),
        },
        order="Since",
        width=24,
        height=10,
    )
    yield alerts_of(HOST, "Alerts that fire", "Of the hosts chosen, for whichever user.")


def alerts_of(labels: str, title: str, why: str) -> Panel:
    """Return the alerts of alerts.yml that fire, since when."""
    ours = f'{labels}, alertname=~"Users.*"'
    since = f"ALERTS_FOR_STATE{{{ours}}} and ignoring (alertstate) ALERTS{{{ours}, {FIRING}}}"
    return rows(
        title,
        f"{why} From alerts.yml.",
        {"A": f"1000 * max by (alertname, severity, instance, user, remote_ip) ({since})"},
        {
            "alertname": Column("Alert"),
            "severity": Column("Severity", width=80),
            "instance": Column("Host", link="instance"),
            "user": Column("User", link="user"),
            "remote_ip": Column("Address"),
            "Value": Column("Since", DatetimeISO, width=170),
        },
        order="Since",
        width=12,
    )


def logins() -> Iterable[Panel]:
    """Yield the panels of sessions begun and ended."""
    logins = f"increase(users_logins_total{{{USER}}}[1h])"
    yield lines(
        "Logins per hour",
        f"Sessions begun, by type, also those between two scans. {NEW}",
        {f"sum by (session_type) ({logins})": "{{session_type}}"},
        bars="1h",
        stacked=True,
    )
    accepted = _per_minute("users_auth_successes_total", USER)
    yield lines(
        "Credentials accepted per minute",
        f"By program and method. {NEW}",
        {f"60 * sum by (program, method) ({accepted})": "{{program}} {{method}}"},
        unit=EventsPerMinute,
    )
    bucket = "users_session_duration_seconds_bucket"
    yield durations(
        "How long sessions lasted",
        "Sessions that ended, by how long they had lasted.",
        f"sum by (le) (increase({bucket}{{{HOST}}}[$__rate_interval]))",
    )
    ended = f"sum by (le) ({_increase(bucket, HOST)})"
    yield stats(
        "Session length",
        f"Of the sessions that ended {RANGE}; estimated from the histogram's bounds.",
        {
            f"histogram_quantile(0.5, {ended}) >= 0": "half: at most",
            f"histogram_quantile(0.9, {ended}) >= 0": "nine of ten: at most",
        },
        unit=DurationSeconds,
        width=8,
        height=8,
        none="none ended",
    )
    yield stats(
        "Reboots",
        f"Boots seen in wtmp or wtmpdb {RANGE}: after a shutdown (clean) or not (crash).",
        {f"sum by (kind) ({_increase('users_reboots_total', HOST)})": "{{kind}}"},
        steps=WARN,
        height=8,
        none="no wtmp",
    )
    yield ranking(
        "Logins by user",
        f"Sessions begun {RANGE}. {NEW}",
        _top(10, f"sum by (user) ({_increase('users_logins_total', USER)})"),
        "{{user}}",
        width=12,
    )
    last = f"max by (instance, user) (users_last_login_timestamp_seconds{{{USER}}})"
    yield rows(
        "Last logins",
        "The newest login of each user that a log, wtmp, wtmpdb, lastlog or lastlog2 tells of;"
        " the 100 newest.",
        {"A": f"1000 * topk(100, {last})"},
        {
            "instance": Column("Host", link="instance"),
            "user": Column("User", link="user"),
            "Value": Column("Last login", DatetimeISO, width=190),
        },
        order="Last login",
        width=12,
    )


def attempts() -> Iterable[Panel]:
    """Yield the panels of attempts, probes and changes of user."""
    yield from _attempt_numbers()
    yield lines(
        "Refused attempts per minute",
        f"By method. {NEW}",
        {f"60 * sum by (method) ({_per_minute(FAILURES, USER)})": "{{method}}"},
        unit=EventsPerMinute,
        steps=((10, "red"),),
        stacked=True,
    )
    yield lines(
        "Refused attempts per minute, by host",
        f"The ten hosts with most at each time. {NEW}",
        {f"topk(10, 60 * sum by (instance) ({_per_minute(FAILURES, USER)}))": "{{instance}}"},
        unit=EventsPerMinute,
    )
    by_network = f"sum by (remote_network) (users_auth_failures_last_hour{{{HOST}}})"
    yield lines(
        "Refused attempts of an hour, by network",
        "By the names that --network gives; of the 20 addresses of each host with most.",
        {_named(by_network, NETWORK): "{{remote_network}}"},
        stacked=True,
    )
    yield lines(
        "Probes per minute",
        "By how the connection ended; protocol is no common version or algorithm, or no SSH.",
        {f"60 * sum by (kind) ({_per_minute('users_auth_probes_total', HOST)})": "{{kind}}"},
        unit=EventsPerMinute,
        stacked=True,
    )
    yield from _attempt_tables()


def _attempt_numbers() -> Iterable[Panel]:
    yield stats(
        "Refused attempts",
        f"Credentials refused {RANGE}, one per attempt. {NEW}",
        {_counted(FAILURES, USER): ""},
        steps=BURST,
        none=NO_LOG,
    )
    unknown = f'{HOST}, user=""'
    yield stats(
        "For names without account",
        f"Of the refused attempts {RANGE} those for names that no account has.",
        {_counted(FAILURES, unknown): ""},
        steps=BURST,
        none=NO_LOG,
    )
    yield stats(
        "Probes",
        f"Connections given up before a credential was refused, {RANGE}: scans, mostly.",
        {_counted("users_auth_probes_total", HOST): ""},
        none=NO_LOG,
    )
    yield stats(
        "Refused sudo and su",
        f"Changes of user that were refused {RANGE}. increase() does not see the first of a"
        " user, program and target: the table below has them all.",
        {_counted(REFUSED, USER): ""},
        steps=WARN,
        none=NO_LOG,
    )
    yield stats(
        "Addresses refused",
        "Addresses with refused attempts in the last hour; at most 20 of each host.",
        {f"count(count by (remote_ip) (users_auth_failures_last_hour{{{HOST}}})) or vector(0)": ""},
        width=8,
    )


def _attempt_tables() -> Iterable[Panel]:
    last_hour = (
        f"sum by (instance, remote_ip, remote_network) (users_auth_failures_last_hour{{{HOST}}})"
    )
    yield rows(
        "Addresses refused most",
        "Attempts of the last hour.",
        {"A": _top(50, last_hour)},
        {
            "remote_ip": Column("Address"),
            "remote_network": Column("Network", width=100),
            "instance": Column("Host", link="instance"),
            "Value": Column("Refused", Short, BURST, 90),
        },
        order="Refused",
    )
    yield ranking(
        "Refused attempts by user",
        f"The attempts {RANGE}. {NEW}",
        _top(10, _named(f"sum by (user) ({_increase(FAILURES, USER)})", "user")),
        "{{user}}",
        steps=BURST,
    )
    change = "instance, program, user, target_user"
    granted = "users_escalations_total"
    yield rows(
        "sudo, su, doas and pkexec",
        f"{RANGE.capitalize()}, and since counting began: increase() does not see the first.",
        {
            "A": f"sum by ({change}) ({granted}{{{USER}}})",
            "B": f"sum by ({change}) ({_increase(granted, USER)})",
            "C": f"sum by ({change}) ({REFUSED}{{{USER}}})",
            "D": f"sum by ({change}) ({_increase(REFUSED, USER)})",
        },
        {
            "program": Column("By", width=70),
            "user": Column("User", link="user"),
            "target_user": Column("Becomes"),
            "instance": Column("Host", link="instance"),
            "Value #B": Column("In range", Short, width=80),
            "Value #A": Column("Ever", Short, width=70),
            "Value #D": Column("Refused", Short, WARN, 80),
            "Value #C": Column("Ever refused", Short, width=100),
        },
        order="In range",
    )


def one_user() -> Iterable[Panel]:
    """Yield the panels of the user that is chosen, by host."""
    yield presence(
        "On which hosts",
        "A lane for each host, with the number of sessions; of the 30 hosts with most.",
        f"topk(30, sum by (instance) (users_sessions{{{USER}}}) > 0)",
        "{{instance}}",
    )
    yield alerts_of(USER, "Alerts about the user", "Those that name a user.")
    logins = f"increase(users_logins_total{{{USER}}}[1h])"
    yield lines(
        "Logins per hour, by host",
        f"The ten hosts with most at each time. {NEW}",
        {f"topk(10, sum by (instance) ({logins}))": "{{instance}}"},
        bars="1h",
        stacked=True,
    )
    tried = f"sum by (program, method) ({_per_minute(FAILURES, USER)})"
    yield lines(
        "Refused attempts per minute, by method",
        f"Of all hosts chosen. {NEW}",
        {f"60 * {tried}": "{{program}} {{method}}"},
        unit=EventsPerMinute,
        stacked=True,
    )
    cpu = f"sum by (instance) (rate(users_cpu_seconds_total{{{USER}}}[$__rate_interval]))"
    yield lines(
        "CPU by host",
        "The ten hosts with most at each time; 100 % is one core.",
        {f"topk(10, {cpu})": "{{instance}}"},
        unit=PercentUnit,
    )
    memory = f"sum by (instance) (users_memory_resident_bytes{{{USER}}})"
    yield lines(
        "Memory by host",
        "Resident; what processes share counts for each. The ten hosts with most.",
        {f"topk(10, {memory})": "{{instance}}"},
        unit=BytesIEC,
    )


def usage() -> Iterable[Panel]:
    """Yield the panels of CPU time, memory, processes and connections."""
    cpu = f"sum by (user) (rate(users_cpu_seconds_total{{{USER}}}[$__rate_interval]))"
    yield lines(
        "CPU by user",
        "The ten users with most at each time; 100 % is one core.",
        {f"topk(10, {cpu})": "{{user}}"},
        unit=PercentUnit,
    )
    memory = f"sum by (user) (users_memory_resident_bytes{{{USER}}})"
    yield lines(
        "Memory by user",
        "Resident; what processes share counts for each. The ten users with most.",
        {f"topk(10, {memory})": "{{user}}"},
        unit=BytesIEC,
    )
    processes = f"sum by (user) (users_processes{{{USER}}})"
    yield lines(
        "Processes by user",
        "The ten users with most at each time.",
        {f"topk(10, {processes})": "{{user}}"},
    )
    yield lines(
        "Remote connections",
        "Established connections to the hosts' servers, by protocol.",
        {f"sum by (protocol) (users_remote_connections{{{HOST}}})": "{{protocol}}"},
        stacked=True,
    )
    by_user = "max by (instance, user)"
    who = "primary_group, real_name"
    yield rows(
        "Users and accounts",
        f"Users with a session or processes of their own; CPU is the time used {RANGE}.",
        {
            "A": f"max by (instance, user, uid, {who}) (users_account_info{{{USER}}})",
            "B": f"{by_user} ({_increase('users_cpu_seconds_total', USER)})",
            "C": f"{by_user} (users_memory_resident_bytes{{{USER}}})",
            "D": f"{by_user} (users_processes{{{USER}}})",
        },
        {
            "instance": Column("Host", link="instance"),
            "user": Column("User", link="user"),
            "real_name": Column("Name"),
            "uid": Column("Uid", width=90),
            "primary_group": Column("Group"),
            "Value #B": Column("CPU time", Seconds, width=120),
            "Value #C": Column("Memory", BytesIEC, width=120),
            "Value #D": Column("Processes", Short, width=120),
        },
        order="CPU time",
        width=24,
    )


def offenders() -> Iterable[Panel]:
    """Yield the panels of users' slices: who takes too much, and whom a limit stops."""
    yield from _near_limits()
    by_user = "max by (instance, user)"
    throttled = f"rate(users_slice_throttled_seconds_total{{{USER}}}[$__rate_interval])"
    yield lines(
        "Stopped by the CPU limit",
        "Seconds a second, of all CPUs. The ten with most at each time.",
        {f"topk(10, {by_user} ({throttled}))": "{{user}} {{instance}}"},
    )
    for resource, title in (("memory", "Waiting for memory"), ("cpu", "Waiting for a CPU")):
        selected = f'{USER}, resource="{resource}", kind="some"'
        waiting = f"rate(users_slice_pressure_seconds_total{{{selected}}}[$__rate_interval])"
        yield lines(
            title,
            "Share of the time that at least one process of the user waited. The ten highest.",
            {f"topk(10, {by_user} ({waiting}))": "{{user}} {{instance}}"},
            unit=PercentUnit,
        )
    legend = "{{user}} {{direction}} {{instance}}"
    moved = f"rate(users_slice_io_bytes_total{{{USER}}}[$__rate_interval])"
    yield lines(
        "Read and written",
        "On block devices. The ten with most at each time.",
        {f"topk(10, max by (instance, user, direction) ({moved}))": legend},
        unit=BytesPerSecondIEC,
    )
    yield rows(
        "Users' slices",
        f"What each has now, and its limits where it has any; OOM kills {RANGE}.",
        {
            "A": f"{by_user} (users_slice_memory_bytes{{{USER}}})",
            "B": f'{by_user} (users_slice_memory_limit_bytes{{{USER}, kind="high"}})',
            "C": f'{by_user} (users_slice_memory_limit_bytes{{{USER}, kind="max"}})',
            "D": f"{by_user} (users_slice_cpu_limit_cores{{{USER}}})",
            "E": f"{by_user} (users_slice_tasks{{{USER}}})",
            "F": f"{by_user} ({_increase('users_slice_oom_kills_total', USER)})",
        },
        {
            "instance": Column("Host", link="instance"),
            "user": Column("User", link="user"),
            "Value #A": Column("Memory", BytesIEC, width=120),
            "Value #B": Column("Slowed from", BytesIEC, width=120),
            "Value #C": Column("Killed from", BytesIEC, width=120),
            "Value #D": Column("CPU limit", Short, width=120),
            "Value #E": Column("Tasks", Short, width=120),
            "Value #F": Column("OOM kills", Short, FAULT, width=120),
        },
        order="Memory",
        width=24,
    )


def _near_limits() -> Iterable[Panel]:
    join = "/ on (job, instance, user) group_right ()"
    memory = f"users_slice_memory_bytes{{{USER}}} {join} users_slice_memory_limit_bytes{{{USER}}}"
    yield lines(
        "Memory, of its limit",
        "With the file cache. The ten nearest to a limit.",
        {f"topk(10, max by (instance, user, kind) ({memory}))": "{{user}} {{kind}} {{instance}}"},
        unit=PercentUnit,
        steps=((0.9, "red"),),
    )
    tasks = f"users_slice_tasks{{{USER}}} {join} users_slice_tasks_limit{{{USER}}}"
    yield lines(
        "Tasks, of their limit",
        "Processes and threads. The ten nearest to the limit.",
        {f"topk(10, max by (instance, user) ({tasks}))": "{{user}} {{instance}}"},
        unit=PercentUnit,
        steps=((0.9, "red"),),
    )


def health() -> Iterable[Panel]:
    """Yield the panels of the scans themselves."""
    yield from _health_numbers()
    scan = _age("users_run_timestamp_seconds", HOST)
    file = _age("node_textfile_mtime_seconds", f"{HOST}, {OURS}")
    yield lines(
        "Age of the scan and of the file",
        "When they were scraped, of the ten oldest. A file that node_exporter does not take has"
        " neither.",
        {
            f"topk(10, max by (instance) ({scan}))": "scan {{instance}}",
            f"topk(10, max by (instance) ({file}))": "file {{instance}}",
        },
        unit=Seconds,
        steps=AGE,
    )
    yield states(
        "Collectors",
        "Whether each got all it should, on all of the hosts chosen.",
        f"min by (collector) (users_collector_success{{{HOST}}})",
        "{{collector}}",
        ("failed", "ok"),
    )
    yield lines(
        "What a scan takes",
        "By collector, of the slowest host. A collector has a second.",
        {
            f"max by (collector) (users_collector_duration_seconds{{{HOST}}})": "{{collector}}",
        },
        unit=Seconds,
        steps=((1, "red"),),
    )
    yield lines(
        "Log lines per minute",
        "By what became of them.",
        {
            f"60 * sum by (source, result) ({_per_minute('users_auth_log_lines_total', HOST)})": (
                "{{source}} {{result}}"
            ),
        },
        unit=EventsPerMinute,
    )
    yield from _health_tables()


def _health_numbers() -> Iterable[Panel]:
    scan = _age("users_run_timestamp_seconds", HOST)
    yield stats(
        "Oldest scan",
        "How far it was off when it was scraped.",
        {f"max({scan})": ""},
        unit=DurationSeconds,
        steps=AGE,
        none="no file",
    )
    yield stats(
        "Text files in error",
        "Hosts where node_exporter could not read one of its text files.",
        {f"sum(node_textfile_scrape_error{{{HOST}}})": ""},
        steps=FAULT,
    )
    yield stats(
        "Failing collectors",
        "Collectors that did not get all they should; the program's message says why.",
        {f"count(users_collector_success{{{HOST}}} == 0) or vector(0)": ""},
        steps=FAULT,
    )
    dropped = f'users_series_dropped{{{HOST}, family=""}}'
    yield stats(
        "Series dropped",
        "Left out by a bound: of users, sessions or addresses there are more than are written.",
        {f"sum({dropped})": ""},
        steps=WARN,
    )
    unknown = f'{HOST}, result="unmatched"'
    yield stats(
        "Lines of no known form",
        f"Lines of known programs {RANGE} that no pattern knows; `textfile-users events"
        " --unmatched` shows them.",
        {f"sum({_increase('users_auth_log_lines_total', unknown)})": ""},
        steps=WARN,
        none=NO_LOG,
    )
    forged = f'{HOST}, result="untrusted"'
    yield stats(
        "Untrusted lines",
        f"Lines in the journal {RANGE} that are not from the program they name.",
        {f"sum({_increase('users_auth_log_lines_total', forged)})": ""},
        steps=WARN,
        none=NO_LOG,
    )


def _health_tables() -> Iterable[Panel]:
    available = f"users_source_available{{{HOST}}}"
    yield rows(
        "Sources",
        "On how many of the hosts each is there; no Debian 13 has utmp, no Alpine logind.",
        {"A": f"sum by (source) ({available})", "B": f"count by (source) ({available})"},
        {
            "source": Column("Source"),
            "Value #A": Column("There on", Short, width=100),
            "Value #B": Column("Of hosts", Short, width=100),
        },
        order="There on",
    )
    why = "source, reason"
    skipped = _increase("users_records_skipped_total", HOST)
    yield rows(
        "Records that could not be used",
        f"Now, of sources read whole; and {RANGE}, of those read by position. A gap is a file or"
        " entries that went before they were read.",
        {
            "A": f"sum by ({why}) (users_records_unusable{{{HOST}}})",
            "B": f"sum by ({why}) ({skipped})",
        },
        {
            "source": Column("Source"),
            "reason": Column("Reason"),
            "Value #A": Column("Now", Short, WARN, 80),
            "Value #B": Column("In range", Short, WARN, 80),
        },
        order="In range",
    )
    yield rows(
        "Series dropped by family",
        "What the bounds leave out.",
        {"A": _named(f"sum by (family) (users_series_dropped{{{HOST}}})", "family")},
        {"family": Column("Family"), "Value": Column("Dropped", Short, WARN, 90)},
        order="Dropped",
    )


def _increase(name: str, labels: str) -> str:
    return f"increase({name}{{{labels}}}[$__range])"


def _per_minute(name: str, labels: str) -> str:
    return f"rate({name}{{{labels}}}[$__rate_interval])"


def _age(name: str, labels: str) -> str:
    """Return an expression for how far a time was off when it was scraped, in seconds."""
    return f"abs(timestamp({name}{{{labels}}}) - {name}{{{labels}}})"


def _or_zero(total: str, known: str) -> str:
    """Return an expression for a sum that is 0 where it has no series, as long as ``known`` has."""
    return f"{total} or 0 * sum({known})"


def _counted(name: str, labels: str) -> str:
    """Return an expression for how often something of an auth log was, if there is a log."""
    return _or_zero(f"sum({_increase(name, labels)})", f"users_auth_probes_total{{{HOST}}}")


def _top(count: int, expr: str) -> str:
    return f"sort_desc(topk({count}, {expr}))"


def _named(expr: str, label: str) -> str:
    """Return an expression in which an empty label can be seen."""
    return f'label_replace({expr}, "{label}", "{NONE[label]}", "{label}", "")'
