#!/usr/bin/env python3
"""One more day of a star schema whose facts look up the version of a user that held at their time.

Facts join a table of versions by a range: a version that ends, or one that comes late, reaches the events of its own time and no others. The
reference is the same SQL as one DuckDB script over the same files, which computes all of it anew, and mep's own full refresh.
"""

import argparse
import json
import shutil
import sys

import measured
from measured import Failed, print_table, ratio, seconds, size

DUCKDB = "duckdb==2.0.1"
DAYS_MORE = 3
GOAL_DUCKDB = 0.9
GOAL_FULL = 0.1

SOURCES = """\
sources:
  - name: events
    tables:
      - name: listens
        path: "listens/*.parquet"
        event_time: ts
        columns:
          - {name: ts, data_type: timestamp}
          - {name: user_id, data_type: bigint}
          - {name: song_id, data_type: bigint}
          - {name: seconds, data_type: double}
      - name: changes
        path: "changes/*.parquet"
        event_time: ts
        columns:
          - {name: ts, data_type: timestamp}
          - {name: user_id, data_type: bigint}
          - {name: level, data_type: varchar}
"""

PROFILES = """\
star:
  target: local
  outputs:
    local:
      type: local
      path: warehouse
      schema: star
      threads: 2
      sources:
        events: {{type: files, path: "{events}"}}
"""

PROJECT_FILE = "name: star\nversion: '1.0.0'\nconfig-version: 2\nprofile: star\n"

# Each model: its config, and its SELECT, in which {listens}, {changes}, {dim_user} and {fact_listen} stand for what it reads.
MODELS = {
    "dim_user": ("materialized='table'", """
select user_id, level, ts as valid_from, lead(ts) over (partition by user_id order by ts, level) as valid_to
from (select distinct user_id, level, ts from {changes}) as c
"""),
    "fact_listen": ("materialized='incremental', partition_by='event_date'", """
select l.ts, l.user_id, l.song_id, l.seconds, u.level, u.valid_from as user_since, {event_date} as event_date
from {listens} as l
inner join {dim_user} as u on u.user_id = l.user_id and l.ts >= u.valid_from and (l.ts < u.valid_to or u.valid_to is null)
"""),
    "plays_by_level": ("materialized='incremental', partition_by='event_date'", """
select event_date, level, count(*) as plays, count(distinct user_id) as users from {fact_listen} group by event_date, level
"""),
    "top_songs": ("materialized='table'", """
select level, song_id, plays from (
    select level, song_id, plays, rank() over (partition by level order by plays desc) as place
    from (select level, song_id, count(*) as plays from {fact_listen} group by level, song_id) as p
) as r
where place <= 100
"""),
}

LISTENS = """
copy (
    select
        make_timestamp(epoch_us(timestamp '2018-01-01') + {day} * 86400000000 + (hash({day}, n, 1) % 86400000)::bigint * 1000) as ts,
        (hash({day}, n, 2) % {users})::bigint as user_id,
        (hash({day}, n, 3) % 20000)::bigint as song_id,
        (hash({day}, n, 4) % 300)::double as seconds
    from range({rows}) as r(n)
) to '{file}' (format parquet, compression zstd);
"""

# On the first day each user's first version; then a few changes a day, one of which comes twenty days late.
CHANGES = """
copy (
    select
        make_timestamp(epoch_us(timestamp '2018-01-01') + ({day} - case when n = 0 and {day} > 20 then 20 else 0 end) * 86400000000
            + (hash({day}, n, 5) % {within})::bigint * 1000) as ts,
        case when {day} = 0 then n else (hash({day}, n, 6) % {users})::bigint end as user_id,
        case hash({day}, n, 7) % 2 when 0 then 'free' else 'paid' end as level
    from range({rows}) as r(n)
) to '{file}' (format parquet, compression zstd);
"""


class Star:
    """Listens and changes of users of so many days, and a project over them."""

    def __init__(self, folder, arguments):
        self.folder, self.arguments = folder, arguments
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("events/listens", "events/changes", "models"):
            (folder / part).mkdir(parents=True)
        (folder / "dbt_project.yml").write_text(PROJECT_FILE)
        (folder / "profiles.yml").write_text(PROFILES.format(events=folder / "events"))
        (folder / "sources.yml").write_text(SOURCES)
        for name, (config, sql) in MODELS.items():
            reads = {model: f"{{{{ ref('{model}') }}}}" for model in MODELS}
            reads |= {source: f"{{{{ source('events', '{source}') }}}}" for source in ("listens", "changes")}
            select = sql.format(**reads, event_date="l.event_date")
            (folder / "models" / f"{name}.sql").write_text(f"{{{{ config({config}) }}}}\n{select}")

    def arrive(self, python, days):
        """Writes the files of these days."""
        statements = []
        for day in days:
            users, rows = self.arguments.users, self.arguments.rows
            changes = users if day == 0 else max(20, users // 1000)
            within = 1000 if day == 0 else 86_400_000
            name = f"{day:05}.parquet"
            statements.append(LISTENS.format(day=day, users=users, rows=rows, file=self.folder / "events" / "listens" / name))
            statements.append(CHANGES.format(day=day, users=users, rows=changes, within=within, file=self.folder / "events" / "changes" / name))
        measured.output([python, "-c", "import duckdb, sys; duckdb.execute(sys.stdin.read())"], "".join(statements))

    def duckdb_script(self):
        """The same tables, all anew: the landed ones too."""
        out = self.folder / "duckdb"
        lines = ["set threads = 2;"]
        for source in ("listens", "changes"):
            lines.append(f"create view {source} as select * from read_parquet('{self.folder}/events/{source}/*.parquet');")
        for name, (config, sql) in MODELS.items():
            reads = {part: part for part in (*MODELS, "listens", "changes")}
            select = sql.format(**reads, event_date="cast(l.ts as date)")
            lines.append(f"create table {name} as {select};")
            by = ", partition_by (event_date), overwrite_or_ignore" if "partition_by" in config else ""
            target = out / name if by else out / f"{name}.parquet"
            lines.append(f"copy {name} to '{target}' (format parquet, compression zstd, compression_level 1{by});")
        out.mkdir(exist_ok=True)
        script = self.folder / "duckdb.sql"
        script.write_text("\n".join(lines))
        return script



def measure(star, binary, python):
    arguments = star.arguments
    star.arrive(python, range(arguments.days))
    mep = [binary, "--project-dir", star.folder, "--profiles-dir", star.folder, "--quiet"]
    measured.output([*mep, "run"], "")
    more, duckdb = [], []
    execute = "import duckdb, sys; duckdb.execute(open(sys.argv[1]).read())"
    for day in range(arguments.days, arguments.days + DAYS_MORE):
        star.arrive(python, [day])
        more.append(measured.run([*mep, "run"]))
        shutil.rmtree(star.folder / "duckdb", ignore_errors=True)
        duckdb.append(measured.run([python, "-c", execute, star.duckdb_script()]))
    compare(star, mep, python)
    full = measured.run([*mep, "run", "--full-refresh"])
    return measured.median(more), measured.median(duckdb), full


def compare(star, mep, python):
    """Both sides must hold the same rows."""
    for name in MODELS:
        columns = "count(*) as n, sum(plays) as s" if name in ("plays_by_level", "top_songs") else "count(*) as n, count(distinct user_id) as s"
        shown = json.loads(measured.output([*mep, "show", "--inline", f"select {columns} from star.{name}", "--output", "json"], ""))[0]
        path = star.folder / "duckdb" / (f"{name}/**/*.parquet" if "partition_by" in MODELS[name][0] else f"{name}.parquet")
        sql = f"import duckdb; print(*duckdb.sql(\"select {columns} from read_parquet('{path}')\").fetchall()[0])"
        of_duckdb = [int(float(word)) for word in measured.output([python, "-c", sql], "").split()]
        if [int(shown["n"]), int(float(shown["s"]))] != of_duckdb:
            raise Failed(f"{name} is not the same: {shown} in mep, {of_duckdb} in DuckDB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365, help="length of history")
    parser.add_argument("--rows", type=int, default=63_000, help="events a day: 23 million in a year")
    parser.add_argument("--users", type=int, default=100_000, help="users")
    measured.add_options(parser)
    arguments = parser.parse_args()
    binary = measured.mep_binary(arguments.mep)
    python = measured.tool("duckdb", DUCKDB) / "python"
    with measured.data_folder(arguments.data) as data:
        folder = data / "versioned"
        try:
            more, duckdb, full = measure(Star(folder, arguments), binary, python)
        except Failed as failure:
            sys.exit(f"the benchmark failed: {failure}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    rows = [[name, seconds(usage.cpu), seconds(usage.wall), size(usage.peak)]
            for name, usage in (("mep, one day more", more), ("mep, full refresh", full), ("DuckDB, all anew", duckdb))]
    print_table([f"{arguments.days * arguments.rows:,} events", "CPU", "wall", "peak memory"], rows)
    print()
    measured.goal("CPU of one day more to that of DuckDB's script", more.cpu / duckdb.cpu, GOAL_DUCKDB, ratio)
    measured.goal("CPU of one day more to that of a full refresh", more.cpu / full.cpu, GOAL_FULL, ratio)


if __name__ == "__main__":
    main()
