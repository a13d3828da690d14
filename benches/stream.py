#!/usr/bin/env python3
"""How fast the bundled streaming models are kept, beside a bare consumer of the same topic.

Sends simulated events to Kafka, lets `mep run --select tag:streaming` catch up with them into Cassandra, and reads the largest topic with
`cargo bench --bench kafka` in the same minutes. Needs a Kafka and a Cassandra on this machine, as stack/up starts them.

Two cases: `sparse` is a simulated day, nearly a row for each event; `dense` is so many events a second in event time, so that a minute has
millions of them over the songs, artists and states that there are.
"""

import argparse
import math
import os
import re
import subprocess
import sys
import time

from measured import ROOT, mep_binary, print_table, ratio, size
from services import cpu, process_of

# What the simulator gives of the two topics, about.
EVENTS_PER_USER_AND_DAY = 1.65


def number(text):
    return int(text.replace(",", ""))


def call(words, environment):
    """Calls a command; gives what it said, its seconds, those of its threads, and its peak memory."""
    began = time.monotonic()
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} ended with {process.returncode}:\n{said}")
    return said, time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def case(name, arguments, generate, mep):
    """Sends the events of a case and lets mep catch up; gives a row of the table."""
    prefix = f"bench{os.getpid()}_{name}_"
    environment = dict(
        os.environ,
        MEP_BROKERS=arguments.brokers,
        MEP_CASSANDRA=arguments.cassandra,
        MEP_KEYSPACE=prefix.rstrip("_"),
        MEP_SCHEMA=prefix.rstrip("_"),
        MEP_TOPIC_PREFIX=prefix,
    )
    sending = ["generate", "--to", "kafka", "--brokers", arguments.brokers, "--topic-prefix", prefix, "--partitions", "4"]
    sending += ["--users", str(arguments.users), "--topic", "listen_events", "auth_events", *generate]
    said, seconds, _, _ = call([mep, *sending], environment)
    sent = number(re.search(r"sent ([\d,]+) events", said).group(1))
    print(f"{name}: sent {sent:,} events at {sent / seconds:,.0f} a second", flush=True)
    services = [process_of(arguments.cassandra), process_of(arguments.brokers)]
    before = [cpu(service) for service in services]
    said, seconds, threads, memory = call([mep, "run", "--target", "lambda", "--select", "tag:streaming"], environment)
    cassandra, kafka = (cpu(service) - taken for service, taken in zip(services, before))
    kept = sent / seconds
    rows = 0
    for line in said.splitlines():
        if " = taken " in line:
            print(f"  {line}")
            rows += number(re.search(r"([\d,]+) rows? written", line).group(1))
    bench = ["cargo", "bench", "--bench", "kafka", "--", arguments.brokers, "0", f"{prefix}listen_events"]
    said, _, _, _ = call(bench, environment)
    bare, decoded = (
        max(number(found) for found in re.findall(rf"{what}.*?([\d,]+) messages/s", said))
        for what in ("bare consumer", "read and decoded")
    )
    return [
        name, f"{sent:,}", f"{rows:,}", f"{seconds:.1f}", f"{kept:,.0f}", f"{bare:,} / {decoded:,}", f"{ratio(kept / bare)} / {ratio(kept / decoded)}",
        f"{threads:.1f} / {kafka:.1f} / {cassandra:.1f}", size(memory),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", default="127.0.0.1:9092")
    parser.add_argument("--cassandra", default="127.0.0.1:9042")
    parser.add_argument("--case", choices=["sparse", "dense"], action="append", help="both without this")
    parser.add_argument("--users", type=int, default=300_000)
    parser.add_argument("--days", type=int, default=1, help="of the sparse case")
    parser.add_argument("--rate", type=int, default=150_000, help="of the dense case: events a second, in event time")
    parser.add_argument("--seconds", type=int, default=120, help="of the dense case: how long in event time")
    parser.add_argument("--mep", default=os.path.join(ROOT, "target/release/mep"))
    arguments = parser.parse_args()
    days = math.ceil(arguments.rate * arguments.seconds / arguments.users / EVENTS_PER_USER_AND_DAY)
    cases = {
        "sparse": ["--days", str(arguments.days)],
        "dense": ["--days", str(days), "--now", "--rate", str(arguments.rate)],
    }
    mep = mep_binary(arguments.mep)
    rows = [case(name, arguments, cases[name], mep) for name in arguments.case or cases]
    head = ["six models into Cassandra", "events", "rows", "seconds", "events/s", "bare / decoded", "ratio to it"]
    print_table([*head, "CPU s of mep / Kafka / Cassandra", "peak memory"], rows)


if __name__ == "__main__":
    main()
