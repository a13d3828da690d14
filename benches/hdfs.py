#!/usr/bin/env python3
"""HDFS beside the local disk: a full refresh of the bundled project from the same files, into either warehouse by turns.

Needs HDFS and a Hive metastore, as `stack/up hdfs metastore` starts them. Afterwards every table must hold the same rows in both, or
the benchmark fails. The database of the benchmark and its folder stay where they are; the next run replaces them.
"""

import argparse
import json
import shutil
import statistics
import sys

import measured
from measured import Failed, print_table, ratio, seconds, size
from warehouse import DAYS, USERS

GOAL = 1.3
SCHEMA = "mep_bench"

PROFILES = """\
music:
  target: disk
  outputs:
    disk:
      type: local
      path: {warehouse}
      schema: {schema}
      threads: 4
      sources:
        events: {{type: files, path: "{events}"}}
    hdfs:
      type: hive
      metastore: {metastore}
      location: {location}
      schema: {schema}
      threads: 4
      sources:
        events: {{type: files, path: "{events}"}}
"""


def main():
    arguments = parsed()
    binary = measured.mep_binary(arguments.mep)
    with measured.data_folder(arguments.data) as data:
        folder = data / "hdfs"
        try:
            compare(Sides(binary, folder, generated(binary, data, arguments.scale), arguments), arguments)
        except Failed as failure:
            sys.exit(f"the benchmark failed: {failure}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mep", default=measured.ROOT / "target/release/mep", help="the program (default: target/release/mep)")
    parser.add_argument("--metastore", default="thrift://127.0.0.1:9083")
    parser.add_argument("--location", default="hdfs://127.0.0.1:9000/warehouse/mep_bench", help="the folder on HDFS")
    parser.add_argument("--scale", type=float, default=1.0, help="from 0.01 to 1.0, which is 23 M events (default: 1.0)")
    parser.add_argument("--pairs", type=int, default=2, help="how often both run, one after the other (default: 2)")
    parser.add_argument("--data", default=measured.ROOT / "target/bench-data", help="for events and tables (default: target/bench-data)")
    return parser.parse_args()


def generated(binary, data, scale):
    """The folder of the events, made once for each scale; warehouse.py uses the same."""
    events = data / f"events-{scale:g}-zstd"
    whole = events / "whole"
    if not whole.exists():
        shutil.rmtree(events, ignore_errors=True)
        print(f"generating {events}", file=sys.stderr)
        for topic, users in USERS.items():
            words = ["--users", round(users * scale), "--days", DAYS, "--topic", topic, "--compression", "zstd"]
            measured.run([binary, "generate", "--to", events, *words])
        whole.touch()
    return events


class Sides:
    """The bundled project, into either warehouse."""

    def __init__(self, binary, folder, events, arguments):
        self.binary, self.folder = binary, folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "profiles.yml").write_text(
            PROFILES.format(
                warehouse=folder / "warehouse",
                schema=SCHEMA,
                events=events,
                metastore=arguments.metastore,
                location=arguments.location,
            )
        )

    def words(self, command, target, *more):
        project = ["--project-dir", measured.ROOT, "--profiles-dir", self.folder, "--target", target, "--quiet"]
        return [self.binary, command, *project, *more]

    def refresh(self, target):
        """A full refresh; what it replaced is deleted afterwards, and not measured."""
        usage = measured.run(self.words("run", target, "--full-refresh"))
        measured.run(self.words("clean", target, "--retention-days", "0"))
        return usage

    def again(self, target):
        """A run with nothing new."""
        return measured.run(self.words("run", target))

    def shown(self, target, sql):
        words = self.words("show", target, "--inline", sql, "--limit", "-1", "--output", "json")
        return json.loads(measured.output([str(word) for word in words], ""))

    def tables(self):
        words = self.words("ls", "disk", "--resource-type", "model", "--exclude", "config.materialized:streaming", "config.materialized:view", "--output", "name")
        return measured.output([str(word) for word in words], "").split()

    def content(self, target, node):
        """The number of rows, and what all of them come to whatever their order."""
        columns = self.shown(target, f"select * from {{{{ ref('{node}') }}}} limit 1")[0]
        texts = ", ".join(f'coalesce(cast("{column}" as varchar), chr(0))' for column in columns)
        key = f"hash_key(concat_ws(chr(31), {texts}))"
        sql = f"select count(*) as rows, bit_xor({key}) as content from {{{{ ref('{node}') }}}}"
        return self.shown(target, sql)[0]


def compare(sides, arguments):
    figures = {"disk": [], "hdfs": []}
    for _ in range(arguments.pairs):
        for target, usages in figures.items():
            usages.append(sides.refresh(target))
        print(", ".join(f"{target} {seconds(usages[-1].wall)}" for target, usages in figures.items()), file=sys.stderr)
    idle = {target: measured.median([sides.again(target) for _ in range(arguments.pairs)]) for target in figures}
    for node in sides.tables():
        found = {target: sides.content(target, node) for target in figures}
        if found["disk"] != found["hdfs"]:
            raise Failed(f"{node} is not the same: {found}")
    report(figures, idle)


def report(figures, idle):
    disk, hdfs = (measured.median(figures[target]) for target in ("disk", "hdfs"))
    rows = [
        ["full refresh: wall", seconds(disk.wall), seconds(hdfs.wall), ratio(hdfs.wall / disk.wall)],
        ["full refresh: user + system", seconds(disk.cpu), seconds(hdfs.cpu), ratio(hdfs.cpu / disk.cpu)],
        ["full refresh: peak memory", size(disk.peak), size(hdfs.peak), ratio(hdfs.peak / disk.peak)],
        ["nothing new: wall", seconds(idle["disk"].wall), seconds(idle["hdfs"].wall), ratio(idle["hdfs"].wall / idle["disk"].wall)],
    ]
    print_table(["", "local disk", "HDFS", "ratio"], rows)
    by_pairs = [hdfs.wall / disk.wall for disk, hdfs in zip(figures["disk"], figures["hdfs"])]
    print(f"ratios of the pairs: {', '.join(ratio(one) for one in sorted(by_pairs))}")
    measured.goal("wall time of HDFS to the local disk", statistics.median(by_pairs), GOAL, ratio)


if __name__ == "__main__":
    main()
