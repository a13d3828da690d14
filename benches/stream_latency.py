#!/usr/bin/env python3
"""How soon rows of events that come at a steady rate are in Cassandra, and whether memory stays flat.

Sends the simulator's events live, lets `mep stream` keep the six bundled models, and asks Cassandra for the rows of each minute over and
over, as a dashboard would. Needs a Kafka and a Cassandra on this machine, as stack/up starts them.
"""

import argparse
import contextlib
import math
import os
import subprocess
import sys
import time
import urllib.request

from measured import ROOT, goal, mep_binary, seconds, size
from services import Cql, CqlError, cpu, process_of, resident
from stream import EVENTS_PER_USER_AND_DAY

EARLY, FINAL = 15.0, 5.0  # Seconds that a first value, and the last one, may take.
SETTLED = 8  # Minutes after which as many windows are open as ever, with a lateness of five.


class Minute:
    """What was seen of one minute: when its first rows were there, and when all were."""

    def __init__(self, start):
        self.start = start
        self.seen = []

    def look(self, cql):
        day = time.strftime("%Y-%m-%d", time.gmtime(self.start))
        where = f"where day = '{day}' and minute = {self.start * 1000}"
        count = cql.numbers(f"select listens from listen_count_minute {where}")
        at = time.time()
        songs = cql.numbers(f"select cast(sum(listens) as bigint) from song_chart_minute {where}")
        self.seen.append((at, count[0][0] if count else 0, time.time(), songs[0][0] or 0))

    def first(self):
        return next((at - self.start for at, count, _, _ in self.seen if count), math.inf)

    def last(self):
        """After its end: until the count had its last value, and until the chart of songs added up to it."""
        total = self.seen[-1][1] if self.seen else 0
        if not total:
            return math.inf, math.inf
        counted = next(at for at, count, _, _ in self.seen if count == total)
        charted = next((at for _, _, at, songs in self.seen if songs == total), math.inf)
        return counted - self.start - 60, charted - self.start - 60


def when_tables_are_there(cassandra, keyspace):
    """A connection to Cassandra, once the stream has made its tables."""
    cql = Cql(cassandra)
    deadline = time.monotonic() + 120
    while True:
        try:
            cql.numbers(f"use {keyspace}")
            for table in ("listen_count_minute", "song_chart_minute"):
                cql.numbers(f"select listens from {table} limit 1")
            return cql
        except CqlError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def watch(minutes, cql, pid, until, wait):
    """Looks at the last two minutes until a time; gives the memory that mep had, by second."""
    memory = []
    while time.time() < until:
        began = time.time()
        memory.append((began, resident(pid)))
        current = int(began) // 60 * 60
        for start in (current - 60, current):
            if start in minutes and began - start < 90:
                # A question that is not answered is asked again.
                with contextlib.suppress(CqlError):
                    minutes[start].look(cql)
        time.sleep(max(0.0, began + wait - time.time()))
    return memory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", default="127.0.0.1:9092")
    parser.add_argument("--cassandra", default="127.0.0.1:9042")
    parser.add_argument("--rate", type=int, default=50_000)
    parser.add_argument("--minutes", type=int, default=4, help="whole minutes that are looked at")
    parser.add_argument("--users", type=int, default=300_000)
    parser.add_argument("--look", type=float, default=0.5, help="seconds between two looks at Cassandra")
    parser.add_argument("--mep", default=os.path.join(ROOT, "target/release/mep"))
    arguments = parser.parse_args()
    mep = mep_binary(arguments.mep)
    name = f"latency{os.getpid()}"
    environment = dict(
        os.environ, MEP_BROKERS=arguments.brokers, MEP_CASSANDRA=arguments.cassandra, MEP_KEYSPACE=name, MEP_SCHEMA=name,
        MEP_TOPIC_PREFIX=f"{name}_",
    )
    topics = ["--topic", "listen_events", "auth_events"]
    to = [mep, "generate", "--to", "kafka", "--brokers", arguments.brokers, "--topic-prefix", f"{name}_", "--users", str(arguments.users)]
    # The topics are there before the stream begins.
    subprocess.run([*to[:-1], "1", "--days", "1", *topics], env=environment, cwd=ROOT, check=True, capture_output=True)
    length = 60 * (arguments.minutes + 2)
    days = math.ceil(arguments.rate * length / arguments.users / EVENTS_PER_USER_AND_DAY)
    metrics = "127.0.0.1:19464"
    log = open(os.path.join(ROOT, "target", f"{name}.log"), "w", encoding="utf-8")
    stream = subprocess.Popen([mep, "stream", "--target", "lambda", "--metrics", metrics], env=environment, cwd=ROOT, stderr=log, stdout=log)
    sender = None
    try:
        cql = when_tables_are_there(arguments.cassandra, name)
        sender = subprocess.Popen(
            [*to, "--days", str(days), "--now", "--rate", str(arguments.rate), *topics], env=environment, cwd=ROOT, stderr=log, stdout=log
        )
        begun = time.time()
        first = int(begun) // 60 * 60 + 60
        minutes = {start: Minute(start) for start in range(first, first + 60 * arguments.minutes, 60)}
        services = [stream.pid, process_of(arguments.brokers), process_of(arguments.cassandra), sender.pid]
        before = [cpu(pid) for pid in services]
        memory = watch(minutes, cql, stream.pid, first + 60 * arguments.minutes + 20, arguments.look)
        taken = [cpu(pid) - was for pid, was in zip(services, before)]
        wall = time.time() - begun
        with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=10) as numbers:
            lag = sum(float(line.split()[-1]) for line in numbers.read().decode().splitlines() if line.startswith("mep_stream_lag_events{"))
    finally:
        for process in (sender, stream):
            if process is not None:
                process.terminate()
                process.wait()
        log.close()
    early = [minute.first() for minute in minutes.values()]
    counted, charted = zip(*(minute.last() for minute in minutes.values()))
    for minute, first, count, chart in zip(minutes.values(), early, counted, charted):
        print(
            f"{time.strftime('%H:%M', time.gmtime(minute.start))}: {minute.seen[-1][1] if minute.seen else 0:,} listens, first seen after {first:.1f} s, the last value "
            f"{count:.1f} s after its end, all songs {chart:.1f} s"
        )
    used = ", ".join(f"{who} {part / wall:.2f}" for who, part in zip(("mep", "Kafka", "Cassandra", "the sender"), taken))
    print(f"cores in use at {arguments.rate:,} events/s: {used}; events not read at the end: {lag:,.0f}")
    # Windows stay open for the allowed lateness: so many there are for good only after some minutes.
    settled = SETTLED if arguments.minutes > SETTLED else 2
    by_minutes = {round(at - begun) // 60: held for at, held in memory}
    shown = [f"{size(by_minutes[at])} after {at}" for at in sorted(by_minutes) if at >= settled and (at - settled) % 5 == 0]
    print(f"memory of mep by minutes: {', '.join(shown)}; at most {size(max(held for _, held in memory))}")
    goal("a first value after its minute began", max(early), EARLY, seconds)
    goal("a minute's count after its end", max(counted), FINAL, seconds)
    goal("all rows of a minute after its end", max(charted), FINAL, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
