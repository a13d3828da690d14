#!/usr/bin/env python3
"""One more day on a history of 10, 100 and 1,000 days: what an incremental run takes, and how many late rows it loses.

First the bundled project as it is, over its simulator: all dimensions and marts of a history, of which most rows are as they were. Then a small
project beside dbt: each day a file of events comes, of which some happened up to five days before. mep derives which days are dirty. The reference is
dbt-core on DuckDB over the same files with the pattern of dbt's documentation, which asks for events later than the latest that is stored.
"""

import argparse
import json
import shutil
import statistics
import sys

import measured
from measured import Failed, print_table, ratio, seconds, size

DBT = ("dbt-core==1.11.*", "dbt-duckdb==1.10.*")
DAYS_MORE = 9
GOAL = 1.2
GOAL_BUNDLED = 1.3
GOAL_CPU = 1.0
BUNDLED_DAYS_MORE = 5

BUNDLED = ("dbt_project.yml", "sources.yml", "models", "macros")
BUNDLED_PROFILES = """\
music:
  target: local
  outputs:
    local:
      type: local
      path: warehouse
      schema: music
      threads: 2
      sources:
        events: {{type: simulator, seed: 42, start: 2018-11-01, days: {days}, users: {users}, duplicates: 0.001, mojibake: true}}
"""

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
          - {name: song, data_type: varchar}
          - {name: seconds, data_type: double}
"""

MEP_PROFILES = """\
days:
  target: local
  outputs:
    local:
      type: local
      path: warehouse
      schema: days
      threads: 2
      sources:
        events: {{type: files, path: "{events}"}}
"""

DBT_PROFILES = """\
days:
  target: local
  outputs:
    local: {{type: duckdb, path: "{data}/stored.duckdb", schema: days, threads: 2}}
"""

PROJECT_FILE = "name: days\nversion: '1.0.0'\nconfig-version: 2\nprofile: days\n"

MEP_MODELS = {
    "fact_listen": """{{ config(materialized='incremental', partition_by='event_date') }}
select distinct ts, user_id, song, seconds, event_date from {{ source('events', 'listens') }}
""",
    "songs_by_day": """{{ config(materialized='incremental', partition_by='event_date') }}
select event_date, song, count(*) as plays, count(distinct user_id) as users, sum(seconds) as seconds
from {{ ref('fact_listen') }} group by event_date, song
""",
    "plays_by_month": """{{ config(materialized='incremental', partition_by='month') }}
select cast(date_trunc('month', event_date) as date) as month, sum(plays) as plays from {{ ref('songs_by_day') }} group by 1
""",
}

DBT_MODELS = {
    "fact_listen": """{{ config(materialized='incremental') }}
select distinct ts, user_id, song, seconds, cast(ts as date) as event_date from read_parquet('EVENTS/listens/*.parquet')
{% if is_incremental() %} where ts > (select max(ts) from {{ this }}) {% endif %}
""",
    "songs_by_day": """{{ config(materialized='incremental', unique_key=['event_date', 'song']) }}
select event_date, song, count(*) as plays, count(distinct user_id) as users, sum(seconds) as seconds
from {{ ref('fact_listen') }}
{% if is_incremental() %} where event_date >= (select max(event_date) from {{ this }}) {% endif %}
group by event_date, song
""",
    "plays_by_month": """{{ config(materialized='incremental', unique_key='month') }}
select date_trunc('month', event_date) as month, sum(plays) as plays from {{ ref('songs_by_day') }}
{% if is_incremental() %} where event_date >= (select max(month) from {{ this }}) {% endif %}
group by 1
""",
}

# A file for each day of arrival; a hundredth of its events happened one to five days before.
EVENTS = """\
copy (
    select
        make_timestamp(epoch_us(timestamp '2018-01-01') + (d.day - late) * 86400000000 + (hash(d.day, n, 1) % 86400000)::bigint * 1000) as ts,
        (hash(d.day, n, 2) % 5000)::bigint as user_id,
        'song ' || (hash(d.day, n, 3) % 2000) as song,
        (hash(d.day, n, 4) % 300)::double as seconds
    from (select {day} as day) as d, range({rows}) as r(n),
        lateral (select case when d.day > 5 and n % 100 = 0 then 1 + (n // 100) % 5 else 0 end as late)
) to '{file}' (format parquet, compression zstd);
"""


class History:
    """The events of so many days, and projects of both tools over them."""

    def __init__(self, folder, days, rows):
        self.folder, self.days, self.rows = folder, days, rows
        self.listens = folder / "listens"
        shutil.rmtree(folder, ignore_errors=True)
        self.listens.mkdir(parents=True)

    def arrive(self, python, days):
        """Writes the files of these days."""
        sql = "".join(EVENTS.format(day=day, rows=self.rows, file=self.listens / f"{day:05}.parquet") for day in days)
        measured.output([python, "-c", "import duckdb, sys; duckdb.execute(sys.stdin.read())"], sql)

    def project(self, name, profiles, models):
        project = self.folder / name
        (project / "models").mkdir(parents=True)
        for model, sql in models.items():
            (project / "models" / f"{model}.sql").write_text(sql.replace("EVENTS", str(self.folder)))
        (project / "dbt_project.yml").write_text(PROJECT_FILE)
        (project / "profiles.yml").write_text(profiles.format(events=self.folder, data=project))
        return project


class BundledHistory:
    """The bundled project over so many simulated days."""

    def __init__(self, folder, binary, users):
        self.folder, self.users = folder, users
        self.mep = [binary, "--project-dir", folder, "--profiles-dir", folder, "--quiet"]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for part in BUNDLED:
            source = measured.ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
        (folder / "tests").mkdir()
        for test in (measured.ROOT / "tests").glob("*.sql"):
            shutil.copy(test, folder / "tests")

    def run(self, days, full_refresh=False):
        (self.folder / "profiles.yml").write_text(BUNDLED_PROFILES.format(days=days, users=self.users))
        return measured.run([*self.mep, "run", *(["--full-refresh"] if full_refresh else [])])

    def files(self):
        return {path: path.stat().st_size for path in (self.folder / "warehouse").rglob("*.parquet")}

    def measure(self, days):
        """The first run, some days more one at a time, and all of it anew."""
        self.run(days)
        runs, written = [], []
        for more in range(1, BUNDLED_DAYS_MORE + 1):
            before = self.files()
            runs.append(self.run(days + more))
            written.append(sum(size for path, size in self.files().items() if path not in before))
        whole = self.run(days + BUNDLED_DAYS_MORE, full_refresh=True)
        return {"more": measured.median(runs), "written": statistics.median(written), "whole": whole}


def of_bundled(arguments, binary, data):
    figures = {}
    for days in arguments.bundled_days:
        folder = data / "one-more-day-bundled"
        try:
            figures[days] = BundledHistory(folder, binary, arguments.users).measure(days)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(f"bundled project, {days:,} days: done", file=sys.stderr)
    rows = []
    for days, figure in figures.items():
        more, whole = figure["more"], figure["whole"]
        rows.append([f"{days:,} days", seconds(more.cpu), seconds(more.wall), size(more.peak), f"{figure['written'] / 1024:,.0f} KiB",
                     seconds(whole.cpu), ratio(more.cpu / whole.cpu)])
    print_table(["bundled project", "one day more: CPU", "wall", "peak memory", "written", "full refresh: CPU", "more / full"], rows)
    first, last = (figures[days]["more"].cpu for days in (min(figures, key=lambda days: abs(days - 30)), max(figures)))
    print()
    measured.goal("CPU at the longest history to that at 30 days", last / first, GOAL_BUNDLED, ratio)
    measured.goal("CPU at the longest history", last, GOAL_CPU, seconds)
    print()


def main():
    arguments = parsed()
    binary = measured.mep_binary(arguments.mep)
    if not arguments.only_small:
        with measured.data_folder(arguments.data) as data:
            try:
                of_bundled(arguments, binary, data)
            except Failed as failure:
                sys.exit(f"the benchmark failed: {failure}")
    if arguments.only_bundled:
        return
    duckdb = measured.tool("duckdb", "duckdb") / "python"
    dbt = measured.tool("dbt", *DBT) / "dbt" if arguments.with_dbt else None
    with measured.data_folder(arguments.data) as data:
        figures = {}
        try:
            for days in arguments.days:
                figures[days] = measure(History(data / "one-more-day", days, arguments.rows), binary, duckdb, dbt)
                print(f"{days:,} days: done", file=sys.stderr)
        except Failed as failure:
            sys.exit(f"the benchmark failed: {failure}")
        finally:
            shutil.rmtree(data / "one-more-day", ignore_errors=True)
        report(figures, arguments)


def measure(history, binary, duckdb, dbt):
    """Both tools over a history, then over some days more, one at a time and by turns."""
    history.arrive(duckdb, range(history.days))
    mep_project = history.project("mep", MEP_PROFILES, MEP_MODELS)
    (mep_project / "sources.yml").write_text(SOURCES)
    mep = [binary, "--project-dir", mep_project, "--profiles-dir", mep_project, "--quiet"]
    measured.run([*mep, "run"])
    if dbt:
        dbt_project = history.project("dbt", DBT_PROFILES, DBT_MODELS)
        dbt_run = [dbt, "--quiet", "run", "--project-dir", dbt_project, "--profiles-dir", dbt_project]
        measured.run(dbt_run)
    runs, reads, of_dbt = [], [], []
    for day in range(history.days, history.days + DAYS_MORE):
        history.arrive(duckdb, [day])
        plan = json.loads(measured.output([*mep, "plan", "--output", "json"], ""))
        reads.append(sum(step["reads"]["bytes"] for step in plan["steps"]))
        runs.append(measured.run([*mep, "run"]))
        if dbt:
            of_dbt.append(measured.run(dbt_run))
    idle = [measured.run([*mep, "run"]) for _ in range(DAYS_MORE)]
    count = "select count(*) as n from days.fact_listen"
    shown = json.loads(measured.output([*mep, "show", "--inline", count, "--output", "json"], ""))
    truth = int(measured.output([duckdb, "-c", "import duckdb, sys; print(duckdb.sql(sys.stdin.read()).fetchall()[0][0])"],
                                f"select count(*) from (select distinct * from read_parquet('{history.listens}/*.parquet'))").split()[-1])
    figures = {"mep": measured.median(runs), "reads": statistics.median(reads), "idle": measured.median(idle), "mep lost": truth - shown[0]["n"]}
    if dbt:
        stored = measured.output([dbt.with_name("python"), "-c", "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).sql(sys.stdin.read()).fetchall()[0][0])",
                                  dbt_project / "stored.duckdb"], count)
        figures |= {"dbt": measured.median(of_dbt), "dbt lost": truth - int(stored.split()[-1])}
    return figures


def report(figures, arguments):
    rows = []
    for days, figure in figures.items():
        row = [f"{days:,} days", seconds(figure["mep"].wall), size(figure["mep"].peak), size(figure["reads"]), seconds(figure["idle"].wall), f"{figure['mep lost']:,}"]
        if arguments.with_dbt:
            row += [seconds(figure["dbt"].wall), f"{figure['dbt lost']:,}", ratio(figure["mep"].wall / figure["dbt"].wall)]
        rows.append(row)
    head = ["history", "one day more", "peak memory", "reads", "nothing new", "rows lost"]
    if arguments.with_dbt:
        head += ["dbt: one day more", "dbt: rows lost", "mep / dbt"]
    print_table(head, rows)
    least, most = figures[min(figures)], figures[max(figures)]
    print()
    measured.goal("time at the longest history to that at the shortest", most["mep"].wall / least["mep"].wall, GOAL, ratio)
    measured.goal("bytes read at the longest history to those at the shortest", most["reads"] / least["reads"], GOAL, ratio)
    measured.goal("a run with nothing to do", most["idle"].wall, 0.3, seconds)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, nargs="+", default=[10, 100, 1000], help="lengths of history")
    parser.add_argument("--bundled-days", type=int, nargs="+", default=[10, 30, 100, 1000], help="lengths of history of the bundled project")
    parser.add_argument("--users", type=int, default=200, help="users of the bundled project")
    parser.add_argument("--only-bundled", action="store_true", help="leave the small project out")
    parser.add_argument("--only-small", action="store_true", help="leave the bundled project out")
    parser.add_argument("--rows", type=int, default=20_000, help="events a day")
    parser.add_argument("--with-dbt", action="store_true", help="run dbt beside mep")
    measured.add_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
