#!/usr/bin/env python3
"""The bundled streaming models beside the same job in Spark Structured Streaming: events by second of CPU.

Both read the same dense topics from Kafka until they have caught up. mep keeps its rows in Cassandra; Spark throws its rows away, since the
connector for Cassandra is another project's. Spark has no exact count of distinct users over a stream, so it counts them approximately, and it
does not mend texts. Needs a Kafka and a Cassandra on this machine, as stack/up starts them; a JDK 17 and Maven.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys

from measured import ROOT, Failed, mep_binary, output, print_table, ratio, size, tool
from stream import EVENTS_PER_USER_AND_DAY, call, number

# The newest version of which Maven has the package for Kafka.
SPARK = "4.2.0"
PACKAGE = "spark-sql-kafka-0-10_2.13"
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mep.benches</groupId><artifactId>spark-kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.spark</groupId><artifactId>{PACKAGE}</artifactId><version>{SPARK}</version></dependency>
  </dependencies>
</project>
"""
OF_PACKAGE = (PACKAGE, "spark-token-provider-kafka", "kafka-clients", "commons-pool2")

# What runs in Spark's own Python.
JOB = '''
import json, os, sys, time
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

brokers, prefix, jars, work, a_trigger = sys.argv[1:]
spark = (SparkSession.builder.master("local[2]").config("spark.jars", jars).config("spark.ui.enabled", "false")
         .config("spark.sql.shuffle.partitions", "2").config("spark.driver.memory", "3g").config("spark.sql.session.timeZone", "UTC")
         .config("spark.local.dir", work).getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
LISTENS = """artist string, song string, duration double, ts bigint, sessionId bigint, auth string, level string, itemInSession int, city string,
zip string, state string, userAgent string, lon double, lat double, userId bigint, lastName string, firstName string, gender string,
registration bigint"""
LOGINS = LISTENS.split("duration")[1].replace(" double, ts", "ts", 1) + ", success boolean"

def events(topic, schema):
    read = (spark.readStream.format("kafka").option("kafka.bootstrap.servers", brokers).option("subscribe", prefix + topic)
            .option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", a_trigger).load())
    rows = read.select(f.from_json(f.col("value").cast("string"), schema).alias("e")).select("e.*")
    return rows.withColumn("at", f.timestamp_millis("ts"))

def by_minute(rows, groups, *values):
    return rows.withWatermark("at", "5 minutes").groupBy(f.window("at", "1 minute"), *groups).agg(*values)

listens = lambda: events("listen_events", LISTENS)
count, users = f.count("*").alias("listens"), f.approx_count_distinct("userId").alias("listeners")
state, gender = f.coalesce("state", f.lit("unknown")).alias("state"), f.coalesce("gender", f.lit("unknown")).alias("gender")
logins = events("auth_events", LOGINS).where("success and userId is not null")
queries = {
    "listen_count_minute": by_minute(listens(), [], count, users),
    "song_chart_minute": by_minute(listens(), ["song", "artist"], count),
    "artist_chart_minute": by_minute(listens(), ["artist"], count),
    "user_activity_minute": by_minute(listens(), [state], count, users),
    "gender_distribution_minute": by_minute(listens(), [gender, "level"], users),
    "user_login": logins.select("at", "userId", "sessionId", "itemInSession", "firstName", "lastName", "level", "city", "state"),
}

def cpu():
    ticks = os.sysconf("SC_CLK_TCK")
    jvm = spark.sparkContext._gateway.proc.pid if hasattr(spark.sparkContext._gateway, "proc") else os.getpid()
    words = open(f"/proc/{jvm}/stat").read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / ticks, jvm

(before, jvm), began = cpu(), time.time()
running = []
for name, rows in queries.items():
    write = rows.writeStream.queryName(name).format("noop").outputMode("append" if name == "user_login" else "update")
    running.append(write.option("checkpointLocation", f"{work}/{name}").trigger(availableNow=True).start())
read = 0
for query in running:
    query.awaitTermination()
    read += sum(progress["numInputRows"] for progress in query.recentProgress) if query.name in ("song_chart_minute", "user_login") else 0
peak = next(int(line.split()[1]) * 1024 for line in open(f"/proc/{jvm}/status") if line.startswith("VmHWM"))
print("RESULT " + json.dumps({"read": read, "seconds": time.time() - began, "cpu": cpu()[0] - before, "peak": peak}))
'''


def package(folder):
    """The jars of Spark's package for Kafka that Spark does not have itself."""
    jars = os.path.join(folder, "jars")
    os.makedirs(folder, exist_ok=True)
    if not os.path.isdir(jars):
        pom = os.path.join(folder, "pom.xml")
        with open(pom, "w", encoding="utf-8") as file:
            file.write(POM)
        output(["mvn", "-B", "-ntp", "-q", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={jars}"], "")
    return ",".join(os.path.join(jars, jar) for jar in sorted(os.listdir(jars)) if jar.startswith(OF_PACKAGE))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", default="127.0.0.1:9092")
    parser.add_argument("--cassandra", default="127.0.0.1:9042")
    parser.add_argument("--users", type=int, default=300_000)
    parser.add_argument("--rate", type=int, default=150_000, help="events a second, in event time")
    parser.add_argument("--seconds", type=int, default=20, help="how long in event time")
    parser.add_argument("--mep", default=os.path.join(ROOT, "target/release/mep"))
    arguments = parser.parse_args()
    mep = mep_binary(arguments.mep)
    work = os.path.join(ROOT, "target/bench-data", f"spark{os.getpid()}")
    jars = package(os.path.join(ROOT, "target/bench-data/spark-kafka"))
    python = tool("spark", f"pyspark=={SPARK}") / "python"
    name = f"spark{os.getpid()}"
    environment = dict(
        os.environ, MEP_BROKERS=arguments.brokers, MEP_CASSANDRA=arguments.cassandra, MEP_KEYSPACE=name, MEP_SCHEMA=name,
        MEP_TOPIC_PREFIX=f"{name}_",
    )
    days = math.ceil(arguments.rate * arguments.seconds / arguments.users / EVENTS_PER_USER_AND_DAY)
    sending = ["generate", "--to", "kafka", "--brokers", arguments.brokers, "--topic-prefix", f"{name}_", "--users", str(arguments.users)]
    sending += ["--days", str(days), "--now", "--rate", str(arguments.rate), "--topic", "listen_events", "auth_events"]
    said, _, _, _ = call([mep, *sending], environment)
    sent = number(re.search(r"sent ([\d,]+) events", said).group(1))
    rows = []
    _, seconds, cpu, peak = call([mep, "run", "--target", "lambda", "--select", "tag:streaming"], environment)
    rows.append(["mep, into Cassandra", f"{sent:,}", f"{seconds:.1f}", f"{cpu:.1f}", f"{sent / cpu:,.0f}", size(peak)])
    # As much in a trigger as comes in ten seconds, which is how long mep's epochs are.
    words = [python, "-c", JOB, arguments.brokers, f"{name}_", jars, work, str(arguments.rate * 10)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    found = re.search(r"RESULT (.*)", done.stdout)
    if not found:
        raise Failed(done.stderr[-4000:])
    spark = json.loads(found.group(1))
    if spark["read"] != sent:
        raise Failed(f"Spark has read {spark['read']:,} of {sent:,} events")
    by_cpu = spark["read"] / spark["cpu"]
    shown = [f"{spark['read']:,}", f"{spark['seconds']:.1f}", f"{spark['cpu']:.1f}", f"{by_cpu:,.0f}", size(spark["peak"])]
    rows.append([f"Spark {SPARK}, rows thrown away", *shown])
    print_table(["six models", "events", "seconds", "CPU s", "events by CPU s", "peak memory"], rows)
    print(f"mep takes {ratio(sent / cpu / by_cpu)} times as many events by second of CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
