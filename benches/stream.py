#!/usr/bin/env python3
"""How fast the bundled streaming models are kept, beside a bare consumer of the same topic.

Sends simulated events to Kafka, lets `mep run --select tag:streaming` catch up with them into Cassandra, and reads the largest topic with
`cargo bench --bench kafka` in the same minutes. Needs a Kafka and a Cassandra, as stack/up starts them.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def told(text):
    print(text, flush=True)


def call(words, environment, check=True):
    """Calls a command; gives what it said, the seconds that it took, and those of its threads."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout + done.stderr, seconds, cpu, after.ru_maxrss / 1024


def number(text):
    return int(text.replace(",", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", default="127.0.0.1:9092")
    parser.add_argument("--cassandra", default="127.0.0.1:9042")
    parser.add_argument("--users", type=int, default=300_000)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--mep", default=os.path.join(ROOT, "target/release/mep"))
    arguments = parser.parse_args()
    name = f"bench{os.getpid()}"
    environment = dict(
        os.environ,
        MEP_BROKERS=arguments.brokers,
        MEP_CASSANDRA=arguments.cassandra,
        MEP_KEYSPACE=name,
        MEP_SCHEMA=name,
        MEP_TOPIC_PREFIX=f"{name}_",
    )
    sending = ["generate", "--to", "kafka", "--brokers", arguments.brokers, "--topic-prefix", f"{name}_", "--partitions", "4"]
    sending += ["--users", str(arguments.users), "--days", str(arguments.days), "--topic", "listen_events", "auth_events"]
    said, seconds, _, _ = call([arguments.mep, *sending], environment)
    sent = number(re.search(r"sent ([\d,]+) events", said).group(1))
    told(f"sent {sent:,} events at {sent / seconds:,.0f} a second")
    said, seconds, cpu, memory = call(
        [arguments.mep, "run", "--target", "lambda", "--select", "tag:streaming"], environment
    )
    kept = sent / seconds
    told(f"six models into Cassandra: {seconds:.1f} s, {cpu:.1f} s of threads, at most {memory:.0f} MiB: {kept:,.0f} events/s")
    for line in said.splitlines():
        if " = taken " in line:
            told(f"  {line}")
    bench = ["cargo", "bench", "--bench", "kafka", "--", arguments.brokers, "0", f"{name}_listen_events"]
    said, _, _, _ = call(bench, environment)
    for line in said.splitlines():
        if "messages/s" in line or "ratio" in line:
            told(f"  {line}")
    bare = max(number(found) for found in re.findall(r"bare consumer.*?([\d,]+) messages/s", said))
    decoded = max(number(found) for found in re.findall(r"read and decoded.*?([\d,]+) messages/s", said))
    told(f"ratio of the six models to the bare consumer: {kept / bare:.2f}; to reading and decoding: {kept / decoded:.2f}")


if __name__ == "__main__":
    main()
