#!/usr/bin/env python3
"""The warehouse: a full refresh of the bundled project against the same SQL as one DuckDB script over the same files.

Both sides read the same compressed JSON, land the raw tables and build every table as zstd Parquet, partitioned by event_date where
mep partitions. The script is made of the SQL that `mep compile` writes; four macros stand for the functions that DuckDB lacks.
Afterwards every table must hold the same rows on both sides, or the benchmark fails.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
from pathlib import Path

import measured
from measured import Failed, print_table, ratio, seconds, size

DUCKDB = "duckdb==2.0.1"
DAYS = 30
# Users at scale 1 whose events come near 10 M, 12 M and 1 M. A user is the same however many there are besides.
USERS = {
    "listen_events": 196_500,
    "page_view_events": 205_500,
    "auth_events": 1_150_000,
    "status_change_events": 196_500,
}
ENDINGS = {"zstd": "json.zst", "gzip": "json.gz"}
WANTED_RATIO = 1.0
WANTED_PEAK = 4 * 1024 * measured.MIB

# A text's md5 in hexadecimal, cut, and read as a signed number; events without --mojibake hold none, so there is nothing to fix.
MACROS = """
create macro hash_key(t) as {hash_key};
create macro fix_mojibake(t) as t;
create macro to_timestamp_millis(ms) as make_timestamp_ms(ms);
create macro surrogate_key
{surrogate_keys};
"""
HASHES = {
    "same": "unhex(substr(md5(t), 1, 16))::bit::bigint",
    # What DuckDB would rather do: half of its own md5 number. The keys are then others than mep's and are not compared.
    "fast": "(md5_number(t) >> 65)::bigint",
}
KEYS = {"listen_id", "page_view_id", "auth_id", "level_change_id", "song_id", "user_key", "location_id"}
PARQUET = "format parquet, compression zstd, compression_level 1"


def surrogate_keys(most=8):
    """The overloads of the key over one to `most` columns, as macros/surrogate_key.sql defines it for any engine."""
    overloads = []
    for count in range(1, most + 1):
        names = [f"c{index}" for index in range(count)]
        texts = [f"coalesce(cast({name} as varchar), chr(0))" for name in names]
        overloads.append(f"    ({', '.join(names)}) as hash_key(concat({', chr(31), '.join(texts)}))")
    return ",\n".join(overloads)


def main():
    arguments = parsed()
    binary = measured.mep_binary(arguments.mep)
    python = measured.tool("duckdb", DUCKDB) / "python"
    with measured.data_folder(arguments.data) as data:
        try:
            events = generated(binary, data, arguments.scale, arguments.compression)
            compare(arguments, binary, python, data, events)
        except Failed as failure:
            sys.exit(f"the benchmark failed: {failure}")
        finally:
            if not arguments.keep:
                shutil.rmtree(data / "mep", ignore_errors=True)
                shutil.rmtree(data / "duckdb", ignore_errors=True)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--mep", default=measured.ROOT / "target/release/mep", help="the program (default: target/release/mep)")
    parser.add_argument("--scale", type=float, default=1.0, help="from 0.01 to 1.0, which is 23 M events (default: 1.0)")
    parser.add_argument("--pairs", type=int, help="how often both run, one after the other (default: 2 from scale 0.5 on, else 5)")
    parser.add_argument("--threads", type=int, default=cores, help="DuckDB's threads (default: the cores, which mep uses)")
    parser.add_argument("--compression", choices=ENDINGS, default="zstd", help="of the events (default: zstd)")
    parser.add_argument("--keys", choices=HASHES, default="same", help="DuckDB's hash keys: mep's, or those it makes fastest")
    parser.add_argument("--profile", action="store_true", help="the seconds of each node, side by side")
    parser.add_argument("--data", default=measured.ROOT / "target/bench-data", help="for events and tables (default: target/bench-data)")
    parser.add_argument("--keep", action="store_true", help="leave the tables of the last pair where they are")
    arguments = parser.parse_args()
    if not 0.01 <= arguments.scale <= 1.0:
        parser.error("--scale is from 0.01 to 1.0")
    if arguments.pairs is None:
        arguments.pairs = 2 if arguments.scale >= 0.5 else 5
    return arguments


def generated(binary, data, scale, compression):
    """The folder of the events, made once for each scale and compression."""
    events = data / f"events-{scale:g}-{compression}"
    whole = events / "whole"
    if not whole.exists():
        shutil.rmtree(events, ignore_errors=True)
        print(f"generating {events}", file=sys.stderr)
        for topic, users in USERS.items():
            words = ["--users", round(users * scale), "--days", DAYS, "--topic", topic, "--compression", compression]
            measured.run([binary, "generate", "--to", events, *words])
        whole.touch()
    return events


def compare(arguments, binary, python, data, events):
    mep = Mep(binary, data / "mep", events)
    reference = Reference(python, data / "duckdb", mep.manifest(), events, arguments)
    pairs, nodes = [], {"alone": [], "theirs": [], "together": []}
    for _ in range(arguments.pairs):
        if arguments.profile:
            alone = mep.run("--threads", 1)
            nodes["alone"].append(mep.node_seconds(alone))
        ours = mep.run()
        nodes["together"].append(mep.node_seconds(ours))
        theirs = reference.run()
        nodes["theirs"].append(reference.node_seconds(theirs))
        pairs.append((ours, theirs))
        print(f"mep {seconds(ours.wall)}, DuckDB {seconds(theirs.wall)}", file=sys.stderr)
    counts = same_rows(python, data, reference, arguments)
    report(arguments, events, pairs, counts, mep, reference)
    if arguments.profile:
        profile(**{side: medians(runs) for side, runs in nodes.items()})


class Mep:
    """A full refresh into a warehouse that is not there yet."""

    def __init__(self, binary, warehouse, events):
        self.binary = binary
        self.warehouse = warehouse
        self.env = {"MEP_WAREHOUSE": str(warehouse), "MEP_EVENTS": str(events)}

    def manifest(self):
        shutil.rmtree(self.warehouse, ignore_errors=True)
        self.call("compile", "--full-refresh")
        return json.loads((measured.ROOT / "target/manifest.json").read_text())

    def run(self, *more):
        shutil.rmtree(self.warehouse, ignore_errors=True)
        os.sync()
        return self.call("run", "--full-refresh", *more)

    def call(self, command, *more):
        words = ["--project-dir", measured.ROOT, "--target", "files", "--quiet"]
        return measured.run([self.binary, command, *words, *more], env=self.env)

    def node_seconds(self, usage):
        results = json.loads((measured.ROOT / "target/run_results.json").read_text())["results"]
        return with_rest({result["unique_id"]: result["execution_time"] for result in results}, usage)


class Table:
    """A table that both sides build."""

    def __init__(self, node):
        self.id = node["unique_id"]
        self.relation = node["relation_name"]
        self.name = self.relation.rpartition(".")[2]
        self.is_partitioned = self.id.startswith("source.") or "partition_by" in node["config"]

    def files(self, folder):
        return folder / self.name / "**" / "*.parquet"

    def scan(self, folder):
        return f"read_parquet('{self.files(folder)}', hive_partitioning = {str(self.is_partitioned).lower()})"


class Reference:
    """The same SQL as one DuckDB script."""

    def __init__(self, python, folder, manifest, events, arguments):
        self.python = python
        self.folder = folder
        self.script = folder.with_suffix(".sql")
        self.taken = folder.with_suffix(".json")
        self.tables = []
        head = [f"set threads = {arguments.threads};", "set preserve_insertion_order = false;"]
        head.append(MACROS.format(hash_key=HASHES[arguments.keys], surrogate_keys=surrogate_keys()).strip())
        statements = [statement for node in ordered(manifest) for statement in self.statements(node, events, arguments.compression)]
        schemas = sorted({table.relation.partition(".")[0] for table in self.tables})
        head += [f"create schema {schema};" for schema in schemas]
        self.script.write_text("\n\n".join(head + statements) + "\n")

    def statements(self, node, events, compression):
        if node["resource_type"] == "source":
            query = landed(node, events, compression)
        else:
            query = node["compiled_code"].strip()
            if node["config"]["materialized"] == "view":
                return [f"-- node: {node['unique_id']}\ncreate view {node['relation_name']} as\n{query};"]
        table = Table(node)
        self.tables.append(table)
        target = self.folder / table.name
        if table.is_partitioned:
            options = f"{PARQUET}, partition_by (event_date)"
        else:
            options, target = PARQUET, target / "part.parquet"
        copied = f"-- node: {table.id}\ncopy (\n{query}\n) to '{target}' ({options});"
        return [copied, f"create view {table.relation} as select * from {table.scan(self.folder)};"]

    def run(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for table in self.tables:
            (self.folder / table.name).mkdir(parents=True)
        os.sync()
        here = Path(__file__).resolve().parent
        return measured.run([self.python, here / "duckdb_script.py", self.script, self.taken])

    def node_seconds(self, usage):
        return with_rest(json.loads(self.taken.read_text()), usage)


def ordered(manifest):
    """Sources and models, each after what it reads."""
    nodes = {**manifest["sources"], **manifest["nodes"]}
    nodes = {name: node for name, node in nodes.items() if node["resource_type"] in ("source", "model")}
    done = {}

    def visit(name):
        if name not in done:
            for needed in nodes[name]["depends_on"]["nodes"]:
                visit(needed)
            done[name] = nodes[name]

    for name in nodes:
        visit(name)
    return done.values()


def landed(node, events, compression):
    """The SELECT that reads a topic's files with the declared types."""
    columns = ", ".join(f"'{name}': '{column['data_type']}'" for name, column in node["columns"].items())
    files = events / node["name"] / f"*.{ENDINGS[compression]}"
    return (
        "select *, make_timestamp_ms(ts)::date as event_date\n"
        f"from read_json('{files}', format = 'newline_delimited', columns = {{{columns}}})"
    )


CHECK = """
import json, sys, duckdb
connection = duckdb.connect()
rows = {}
for name, theirs, ours, skipped in json.load(sys.stdin):
    columns = connection.execute(f"describe select * from {theirs}").fetchall()
    columns = [f'cast("{column[0]}" as {column[1]})' for column in columns if column[0] not in skipped]
    of = lambda scan: f"select count(*), sum(hash({', '.join(columns)})) from {scan}"
    rows[name] = [connection.execute(of(scan)).fetchone() for scan in (ours, theirs)]
json.dump(rows, sys.stdout, default=str)
"""


def same_rows(python, data, reference, arguments):
    """The rows of each table, which must be the same on both sides in every column."""
    skipped = sorted(KEYS) if arguments.keys == "fast" else []
    asked = [(table.name, table.scan(reference.folder), table.scan(data / "mep" / table.relation.partition(".")[0]), skipped)
             for table in reference.tables]
    text = measured.output([python, "-c", CHECK], json.dumps(asked))
    rows = json.loads(text)
    different = [f"{name}: mep has {ours[0]:,} rows, DuckDB {theirs[0]:,}{', but not the same' * (ours[0] == theirs[0])}"
                 for name, (ours, theirs) in rows.items() if ours != theirs]
    if different:
        raise Failed("the tables differ:\n" + "\n".join(different))
    return {name: ours[0] for name, (ours, _) in rows.items()}


def report(arguments, events, pairs, counts, mep, reference):
    ours, theirs = (measured.median(side) for side in zip(*pairs))
    walls = [pair[0].wall / pair[1].wall for pair in pairs]
    read = sum(file.stat().st_size for file in events.rglob(f"*.{ENDINGS[arguments.compression]}"))
    print(
        f"\nscale {arguments.scale:g}: {counts['raw_listen_events']:,} listens, {counts['raw_page_view_events']:,} page views and "
        f"{counts['raw_auth_events']:,} auth events, {size(read)} as {arguments.compression};\n{len(counts)} tables with "
        f"{sum(counts.values()):,} rows, the same on both sides; {len(pairs)} pairs, {arguments.threads} threads, {DUCKDB}, "
        f"{arguments.keys} keys\n"
    )
    stored = [sum(file.stat().st_size for file in folder.rglob("*.parquet")) for folder in (mep.warehouse, reference.folder)]
    rows = [
        ["wall", seconds(ours.wall), seconds(theirs.wall), ratio(statistics.median(walls))],
        ["user + system", seconds(ours.cpu), seconds(theirs.cpu), ratio(ours.cpu / theirs.cpu)],
        ["peak memory", size(ours.peak), size(theirs.peak), ratio(ours.peak / theirs.peak)],
        ["tables on disk", size(stored[0]), size(stored[1]), ratio(stored[0] / stored[1])],
    ]
    print_table(["median", "mep", "DuckDB", "ratio"], rows)
    print(f"\nwall ratios of the pairs: {', '.join(map(ratio, walls))}")
    measured.goal("wall of mep / wall of DuckDB", statistics.median(walls), WANTED_RATIO, ratio)
    measured.goal("peak memory of mep", ours.peak, WANTED_PEAK, size)


REST = "outside the nodes"


def with_rest(nodes, usage):
    """The seconds of each node and those of the process that no node took: starting, compiling, ending."""
    return {**nodes, REST: max(0.0, usage.wall - sum(nodes.values()))}


def medians(runs):
    return {node: statistics.median(run[node] for run in runs) for node in runs[0]}


def profile(alone, theirs, together):
    """Where the time goes: nodes one after the other on both sides, those that lose most first."""
    def short(name):
        return name if name == REST else name.split(".")[0] + " " + name.split(".")[-1]

    lost = {name: alone[name] - theirs[name] for name in theirs}
    rows = [[short(name), seconds(alone[name]), seconds(theirs[name]), ratio(alone[name] / theirs[name]), seconds(lost[name]),
             seconds(together[name])] for name in sorted(lost, key=lost.get, reverse=True)]
    total = [sum(times.values()) for times in (alone, theirs, lost, together)]
    rows.append(["all", seconds(total[0]), seconds(total[1]), ratio(total[0] / total[1]), seconds(total[2]), seconds(total[3])])
    print("\nnode by node, medians; `mep` with --threads 1, so one node after the other; `at once` as it runs by itself, sharing the cores\n")
    print_table(["node", "mep", "DuckDB", "ratio", "lost", "at once"], rows)


if __name__ == "__main__":
    main()
