"""Random SQL over the tables of compare.py, each query in mep's words and in DuckDB's.

A piece of SQL is written once; where the two engines are known to say one thing in two ways, `either` writes both. Every query has one answer:
what depends on the order of rows is ordered by all that tells them apart.

What is said in two ways, or not asked, and why:
- `/` of integers divides to an integer in mep (as in PostgreSQL, Trino), to a double in DuckDB: `//` there.
- The place of NULL in an order has another default: it is always written.
- `first_value` and `last_value` as aggregates are `first` and `last` in DuckDB; IGNORE NULLS stands within the brackets there.
- `regexp_like` is `regexp_matches`, the bytes of a text are counted by `strlen`.
- Dividing by nothing is an error in mep (as in PostgreSQL) and NULL in DuckDB: divisors stand in NULLIF.
- Doubles as texts are written in other ways, as are intervals: neither is cast to text.
- The year before the first is 0000 as text in mep, 0001 (BC) in DuckDB: no date comes there.
- `substr` before the first character counts from the end in DuckDB: it is not asked.
- `sum(bigint)` past 64 bits is an error in mep, which says to add decimals (crates/sql/src/exact_sum.rs), and a wider integer in DuckDB:
  compare.py counts these apart.
- A timestamp less a timestamp is an interval, which mep refuses to store: it is not asked.
- `<<` that loses bits is an error in both; DuckDB also shifts no negative number, which mep does where the result fits. It is not asked.
- A date and whole days is a date in mep (crates/sql/src/rules/date_interval.rs), a timestamp in DuckDB: it is cast.
"""

import random
import re

# Begins what is said in two ways.
MARK = "\x01"

COLUMNS = {
    "int": ["i", "k", "id"],
    "big": ["b"],
    "double": ["d"],
    "dec": ["m", "w"],
    "text": ["t", "g"],
    "bool": ["f"],
    "date": ["day"],
    "ts": ["ts"],
}
NUMBERS = ["int", "big", "double", "dec"]
KINDS = list(COLUMNS)
LITERALS = {
    "int": ["0", "1", "-1", "2", "7", "-3", "100"],
    "big": ["cast(0 as bigint)", "cast(3000000000 as bigint)", "cast(-5 as bigint)", "9223372036854775807"],
    "double": ["cast(0.5 as double)", "cast(-2.25 as double)", "cast('nan' as double)", "cast('-0.0' as double)", "cast('inf' as double)", "cast(3 as double)"],
    "dec": ["1.5", "-0.25", "cast(12.34 as decimal(10,2))", "cast(0 as decimal(18,4))", "100.00"],
    "text": ["''", "'a'", "'B'", "'é'", "'a%'", "'x_y'", "'  '", "'ß'", "'it''s'", "'日本'", "'10'", "'a\\b'"],
    "bool": ["true", "false"],
    "date": ["date '2020-02-29'", "date '1969-12-31'", "date '2021-01-03'", "date '9999-12-31'"],
    "ts": ["timestamp '2020-02-29 12:30:45.5'", "timestamp '1969-12-31 23:59:59.999999'", "timestamp '2021-03-28 02:30:00'"],
}
NULLS = {"int": "integer", "big": "bigint", "double": "double", "dec": "decimal(10,2)", "text": "varchar", "bool": "boolean", "date": "date", "ts": "timestamp"}


def either(mep, duckdb):
    return f"{MARK}{mep}\x02{duckdb}\x03"


def words(sql, of):
    """The SQL in one engine's words (0: mep, 1: DuckDB)."""
    while MARK in sql:
        # The innermost first.
        sql = re.sub("\x01([^\x01\x02\x03]*)\x02([^\x01\x02\x03]*)\x03", lambda m: m.group(of + 1), sql)
    return sql


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = 0
        self.subqueries = 0

    def pick(self, *of):
        return self.random.choice(of)

    def chance(self, share):
        return self.random.random() < share

    def fresh(self):
        self.names += 1
        return f"c{self.names}"

    # Expressions. A scope maps a kind to the columns of it that can be named.

    def leaf(self, kind, scope):
        columns = scope.get(kind, [])
        if columns and self.chance(0.8):
            return self.random.choice(columns)
        if self.chance(0.12):
            return f"cast(null as {NULLS[kind]})"
        return self.random.choice(LITERALS[kind])

    def expression(self, kind, scope, depth):
        if depth <= 0 or self.chance(0.15):
            return self.leaf(kind, scope)
        make = getattr(self, f"make_{kind}")
        e = lambda k: self.expression(k, scope, depth - 1)
        if self.chance(0.3):
            return self.any_kind(kind, e, scope, depth)
        return make(e, scope, depth)

    def any_kind(self, kind, e, scope, depth):
        r = self.random.randrange(7)
        if r == 0:
            other = f" else {e(kind)}" if self.chance(0.7) else ""
            more = f" when {e('bool')} then {e(kind)}" if self.chance(0.4) else ""
            return f"case when {e('bool')} then {e(kind)}{more}{other} end"
        if r == 1:
            by = self.pick("int", "text", "bool", "date")
            return f"case {e(by)} when {e(by)} then {e(kind)} when {e(by)} then {e(kind)} else {e(kind)} end"
        if r == 2:
            return f"coalesce({e(kind)}, {e(kind)}, {e(kind)})"
        if r == 3:
            return f"nullif({e(kind)}, {e(kind)})"
        if r == 4 and kind != "bool":
            return f"{self.pick('greatest', 'least')}({e(kind)}, {e(kind)}, {e(kind)})"
        if r == 5 and self.subqueries < 2 and scope.get("correlated"):
            return self.scalar_subquery(kind, scope)
        return f"({e(kind)})"

    def scalar_subquery(self, kind, scope):
        self.subqueries += 1
        inner = self.scope_of("s")
        on = self.random.choice(scope["int"])
        condition = self.pick("true", f"s.k = {on}", f"s.k = {on} and {self.expression('bool', inner, 1)}", self.expression("bool", inner, 2))
        how = self.pick("min", "max") if kind != "bool" else "bool_or"
        return f"(select {how}({self.expression(kind, inner, 1)}) from {self.table()} s where {condition})"

    def make_int(self, e, scope, depth):
        r = self.random.randrange(16)
        if r < 4:
            return f"({e('int')} {self.pick('+', '-', '*')} {e('int')})"
        if r == 4:
            return f"({e('int')} {either('/', '//')} nullif({e('int')}, 0))"
        if r == 5:
            return f"({e('int')} % nullif({e('int')}, 0))"
        if r == 6:
            return f"cast({self.pick('length', 'ascii', 'bit_length', 'octet_length')}({e('text')}) as integer)".replace("octet_length", either("octet_length", "strlen"))
        if r == 7:
            return f"cast(extract({self.pick('year', 'month', 'day', 'quarter', 'doy', 'dow', 'week', 'isodow')} from {e('date')}) as integer)"
        if r == 8:
            return f"cast(extract({self.pick('hour', 'minute', 'year', 'month', 'day')} from {e('ts')}) as integer)"
        if r == 9:
            return f"cast({e('bool')} as integer)"
        if r == 10:
            return f"abs({e('int')})"
        if r == 11:
            return f"strpos({e('text')}, {e('text')})"
        if r == 12:
            return f"({e('int')} {self.pick('&', '|')} {e('int')})"
        if r == 13:
            return f"(case when {e('bool')} then 1 else 0 end)"
        if r == 14:
            return f"(- {e('int')})"
        return f"cast({either('signum', 'sign')}({e('int')}) as integer)"

    def make_big(self, e, scope, depth):
        r = self.random.randrange(8)
        if r < 3:
            return f"({e('big')} {self.pick('+', '-', '*')} {e('int')})"
        if r == 3:
            return f"cast({e('int')} as bigint)"
        if r == 4:
            return f"({e('big')} {either('/', '//')} nullif({e('big')}, 0))"
        if r == 5:
            return f"({e('big')} % nullif({e('big')}, 0))"
        if r == 6:
            return f"cast({self.pick('floor', 'ceil', 'trunc')}({e('dec')}) as bigint)"
        return f"({e('big')} {self.pick('&', '|')} {e('big')})"

    def make_double(self, e, scope, depth):
        r = self.random.randrange(10)
        if r < 3:
            return f"({e('double')} {self.pick('+', '-', '*')} {e(self.pick('double', 'int', 'big', 'dec'))})"
        if r == 3:
            return f"({e('double')} / nullif({e('double')}, 0))"
        if r == 4:
            return f"cast({e(self.pick('int', 'big', 'dec'))} as double)"
        if r == 5:
            return f"{self.pick('floor', 'ceil', 'trunc', 'abs', 'cbrt')}({e('double')})"
        if r == 6:
            return f"round({e('double')}, {self.pick(0, 1, 2)})"
        if r == 7:
            return f"sqrt(abs({e('double')}))"
        if r == 8:
            return f"power({e('double')}, 2)"
        return f"(- {e('double')})"

    def make_dec(self, e, scope, depth):
        r = self.random.randrange(8)
        if r < 3:
            return f"({e('dec')} {self.pick('+', '-')} {e(self.pick('dec', 'int'))})"
        if r == 3:
            return f"cast({e('int')} as decimal(18,2))"
        if r == 4:
            return f"cast(({e('dec')} * {e('int')}) as decimal(18,2))"
        if r == 5:
            return f"abs({e('dec')})"
        if r == 6:
            return f"round({e('dec')}, {self.pick(0, 1)})"
        return f"cast({e('dec')} as decimal(18,1))"

    def make_text(self, e, scope, depth):
        r = self.random.randrange(18)
        if r < 2:
            return f"({e('text')} || {e('text')})"
        if r == 2:
            return f"{self.pick('upper', 'lower', 'trim', 'ltrim', 'rtrim', 'reverse', 'md5')}({e('text')})"
        if r == 3:
            return f"substr({e('text')}, {self.pick(1, 2, 3, 4)})"
        if r == 4:
            return f"substring({e('text')} from {self.pick(1, 2)} for {self.pick(0, 1, 2, 5)})"
        if r == 5:
            return f"replace({e('text')}, {e('text')}, {e('text')})"
        if r == 6:
            return f"{self.pick('left', 'right')}({e('text')}, {self.pick(0, 1, 2, -1, -2)})"
        if r == 7:
            return f"{self.pick('lpad', 'rpad')}({e('text')}, {self.pick(0, 1, 5)}, {self.pick(chr(39) + 'xy' + chr(39), chr(39) + '-' + chr(39))})"
        if r == 8:
            return f"concat({e('text')}, {e('text')}, {e(self.pick('text', 'int'))})"
        if r == 9:
            return f"concat_ws('/', {e('text')}, {e('text')}, {e('text')})"
        if r == 10:
            return f"split_part({e('text')}, {self.pick(chr(39) + 'a' + chr(39), chr(39) + '_' + chr(39))}, {self.pick(1, 2, -1)})"
        if r == 11:
            return f"cast({e(self.pick('int', 'big', 'bool', 'date'))} as varchar)"
        if r == 12:
            return f"repeat({e('text')}, {self.pick(0, 1, 2, -1)})"
        if r == 13:
            return f"translate({e('text')}, 'ab', 'x')"
        if r == 14:
            return f"regexp_replace({e('text')}, '[a-c]+', '<>')"
        if r == 15:
            return f"regexp_replace({e('text')}, '(.)(.)', '\\2\\1', 'g')"
        if r == 16:
            return f"trim({self.pick('leading', 'trailing', 'both')} 'a' from {e('text')})"
        return f"chr({self.pick(65, 233, 26085)})"

    def make_bool(self, e, scope, depth):
        r = self.random.randrange(19)
        if r < 4:
            kind = self.random.choice(KINDS)
            other = kind
            if kind in NUMBERS and self.chance(0.4):
                other = self.random.choice(NUMBERS)
            if kind in ("date", "ts") and self.chance(0.3):
                other = self.pick("date", "ts")
            return f"({e(kind)} {self.pick('=', '<>', '<', '<=', '>', '>=')} {e(other)})"
        if r < 6:
            return f"({e('bool')} {self.pick('and', 'or')} {e('bool')})"
        if r == 6:
            return f"(not {e('bool')})"
        if r == 7:
            return f"({e(self.random.choice(KINDS))} is {self.pick('', 'not ')}null)"
        if r == 8:
            kind = self.random.choice(KINDS)
            return f"({e(kind)} is {self.pick('', 'not ')}distinct from {e(kind)})"
        if r == 9:
            kind = self.random.choice(KINDS)
            return f"({e(kind)} {self.pick('', 'not ')}in ({e(kind)}, {e(kind)}, {e(kind)}))"
        if r == 10:
            kind = self.random.choice(["int", "big", "double", "dec", "text", "date", "ts"])
            return f"({e(kind)} {self.pick('', 'not ')}between {e(kind)} and {e(kind)})"
        if r == 11:
            pattern = self.pick("'a%'", "'%b'", "'_'", "'%'", "''", "'%a%b%'", "'x\\_y'", "'%\\%'", "'é_'")
            escape = " escape '\\'" if "\\" in pattern else ""
            return f"({e('text')} {self.pick('', 'not ')}{self.pick('like', 'like', 'ilike')} {pattern}{escape})"
        if r == 12:
            return f"({e('bool')} is {self.pick('true', 'false', 'not true', 'not false')})"
        if r == 13:
            return f"starts_with({e('text')}, {e('text')})"
        if r == 14:
            return f"regexp_like({e('text')}, {self.pick(chr(39) + '^[a-z]' + chr(39), chr(39) + 'b$' + chr(39))})".replace("regexp_like", either("regexp_like", "regexp_matches"))
        if r == 15 and self.subqueries < 2 and scope.get("correlated"):
            self.subqueries += 1
            inner = self.scope_of("s")
            column = self.random.choice(["k", "i", "g", "day"])
            kind = {"k": "int", "i": "int", "g": "text", "day": "date"}[column]
            where = self.pick("true", self.expression("bool", inner, 1), f"s.k = {self.random.choice(scope['int'])}")
            return f"({self.leaf(kind, scope)} {self.pick('', 'not ')}in (select s.{column} from {self.table()} s where {where}))"
        if r == 16 and self.subqueries < 2 and scope.get("correlated"):
            self.subqueries += 1
            inner = self.scope_of("s")
            on = self.random.choice(scope["int"])
            more = f" and {self.expression('bool', inner, 1)}" if self.chance(0.5) else ""
            return f"({self.pick('', 'not ')}exists (select 1 from {self.table()} s where s.{self.pick('k', 'i')} {self.pick('=', '=', '<')} {on}{more}))"
        if r == 17:
            return f"isnan({e('double')})"
        return f"({e('int')} {self.pick('<', '=', '>=')} {e('int')})"

    def make_date(self, e, scope, depth):
        r = self.random.randrange(7)
        if r == 0:
            return f"cast({self.near_date(scope)} + interval '{self.pick(1, -3, 40)} {self.pick('day', 'month', 'year')}' as date)"
        if r == 1:
            return f"cast({e('ts')} as date)"
        if r == 2:
            return f"cast(date_trunc('{self.pick('month', 'year', 'week', 'quarter', 'day')}', {e('date')}) as date)"
        if r == 3:
            return f"cast('{self.pick('2020-02-29', '0001-01-01', '1970-01-01')}' as date)"
        if r == 4:
            return f"cast({self.near_date(scope)} - interval '{self.pick(1, 2)} month' as date)"
        if r == 5:
            return f"make_date({self.pick(2020, 2023)}, {self.pick(1, 12)}, {self.pick(1, 28)})"
        return self.leaf("date", scope)

    def near_date(self, scope):
        # Beyond the year 9999 nothing is, and years before the first are written in two ways.
        return f"greatest(least({self.leaf('date', scope)}, date '5000-01-31'), date '0100-01-01')"

    def make_ts(self, e, scope, depth):
        r = self.random.randrange(6)
        if r == 0:
            return f"(least({self.leaf('ts', scope)}, timestamp '5000-01-31 00:00:00') {self.pick('+', '-')} interval '{self.pick(1, 90, 36)} {self.pick('second', 'minute', 'hour', 'day', 'month', 'year')}')"
        if r == 1:
            return f"date_trunc('{self.pick('second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year')}', {e('ts')})"
        if r == 2:
            return f"cast({e('date')} as timestamp)"
        if r == 3:
            return f"(least({self.leaf('date', scope)}, date '5000-01-31') + interval '{self.pick(1, 36)} hour')"
        if r == 4:
            return f"cast('{self.pick('2020-02-29 01:02:03', '1582-10-15 00:00:00', '2262-04-12 00:00:00.000001')}' as timestamp)"
        return self.leaf("ts", scope)

    # Tables and joins.

    def table(self):
        return self.pick("@a@", "@b@", "@c@")

    def scope_of(self, *aliases):
        scope = {kind: [f"{a}.{c}" for a in aliases for c in columns] for kind, columns in COLUMNS.items()}
        return scope

    def source(self):
        """FROM, the scope, and what tells the rows apart."""
        r = self.random.randrange(12)
        if r < 3:
            scope = self.scope_of("x")
            scope["correlated"] = True
            return f"{self.table()} x", scope, ["x.id"]
        if r < 7:
            scope = self.scope_of("x", "y")
            kind = self.pick("join", "left join", "right join", "full join", "left join", "full join")
            on = self.pick("x.k = y.k", "x.i = y.k", "x.id = y.id", "x.g = y.g and x.k = y.k", "x.day = y.day", "x.d = y.d", "x.m = y.w", "x.k is not distinct from y.k", "x.ts < y.ts and x.k = y.k", "x.day = cast(y.ts as date)", "x.k = y.id + 1", "x.b = y.i")
            if self.chance(0.35) and kind in ("join", "left join", "right join"):
                on += f" and {self.expression('bool', scope, 2)}"
            elif self.chance(0.2):
                on += f" and {self.expression('bool', self.scope_of(self.pick('x', 'y')), 1)}"
            if self.chance(0.1):
                kind, on = "cross join", None
            sides = [self.side(self.table()), self.side(self.table())]
            return f"{sides[0]} x {kind} {sides[1]} y" + (f" on {on}" if on else ""), scope, ["x.id", "y.id"]
        if r < 10:
            return self.using()
        if r == 10:
            scope = self.scope_of("x", "y", "z")
            kinds = [self.pick("join", "left join", "right join", "full join") for _ in range(2)]
            on = self.pick("y.k = z.k", "x.k = z.k", "coalesce(x.k, y.k) = z.k", "x.id = z.id")
            return f"{self.side(self.table())} x {kinds[0]} {self.table()} y on x.k = y.i {kinds[1]} {self.side(self.table())} z on {on}", scope, ["x.id", "y.id", "z.id"]
        scope = self.scope_of("x")
        columns = ", ".join(c for of in COLUMNS.values() for c in of)
        both = self.pick("union", "union all", "except", "intersect", "except all", "intersect all")
        return f"(select {columns} from {self.table()} {both} select {columns} from {self.table()}) x", scope, ["x.id"]

    def side(self, table):
        r = self.random.randrange(5)
        if r == 0:
            return f"(select * from {table} where {self.expression('bool', {k: list(v) for k, v in COLUMNS.items()}, 2)})"
        return table

    def using(self):
        """Joins by names; each side has columns of its own beside the keys."""
        kind = self.pick("join", "left join", "right join", "full join", "full join")
        keys = self.pick(["k"], ["k", "g"], ["g"], ["day", "k"])
        left = f"(select k, g, day, i as li, t as lt, d as ld, id as lid from {self.table()})"
        right_keys = ", ".join(keys)
        right = f"(select {right_keys}, b as rb, m as rm, ts as rts, id as rid from {self.table()})"
        scope = {kind_: [] for kind_ in KINDS}
        kinds = {"k": "int", "g": "text", "day": "date"}
        for key in keys:
            scope[kinds[key]] += [key, key, f"x.{key}", f"y.{key}"]
        for key in sorted(set(kinds) - set(keys)):
            scope[kinds[key]] += [key, f"x.{key}"]
        for name, of in (("li", "int"), ("lt", "text"), ("ld", "double"), ("lid", "int"), ("rb", "big"), ("rm", "dec"), ("rts", "ts"), ("rid", "int")):
            scope[of].append(name)
        order = ["lid", "rid"]
        if self.chance(0.3):
            return f"{left} x natural {kind} {right} y", scope, order
        if self.chance(0.3):
            scope["int"].append("zi")
            third = self.pick("full join", "left join", "right join", "join")
            return (
                f"{left} x {kind} {right} y using ({', '.join(keys)}) {third} (select {keys[0]}, i as zi, id as zid from {self.table()}) z using ({keys[0]})",
                scope,
                order + ["zid"],
            )
        return f"{left} x {kind} {right} y using ({', '.join(keys)})", scope, order

    # Queries.

    def query(self):
        r = self.random.randrange(10)
        if r < 3:
            return self.plain()
        if r < 6:
            return self.grouped()
        if r < 8:
            return self.windows()
        if r == 8:
            return self.set_operation()
        return self.others()

    def where(self, scope, share=0.6):
        return f" where {self.expression('bool', scope, 3)}" if self.chance(share) else ""

    def columns(self, scope, depth=3, kinds=None):
        return ", ".join(f"{self.expression(kind, scope, depth)} as {self.fresh()}" for kind in (kinds or self.random.choices(KINDS, k=self.random.randint(1, 4))))

    def ordered(self, by):
        return ", ".join(f"{column} {self.pick('asc', 'desc')} nulls {self.pick('first', 'last')}" for column in by)

    def plain(self):
        source, scope, by = self.source()
        distinct = self.pick("", "", "", "distinct ")
        sql = f"select {distinct}{self.columns(scope)} from {source}{self.where(scope)}"
        if not distinct and self.chance(0.3) and "union" not in source and "except" not in source and "intersect" not in source:
            first = f"{self.expression(self.random.choice(KINDS), scope, 1)}"
            if re.fullmatch(r"\(*-?\d+\)*", first):
                first = by[0]
            sql = f"select {', '.join(by)}, {self.columns(scope, 2)} from {source}{self.where(scope)} order by {self.ordered([first] + by)} limit {self.random.randint(1, 9)}"
            if self.chance(0.4):
                sql += f" offset {self.random.randint(1, 4)}"
            sql = self.named(sql, by)
        return sql

    def named(self, sql, by):
        listed = ", ".join(by)
        names = ", ".join(f"{column} as o{n}" for n, column in enumerate(by))
        return sql.replace(f"select {listed},", f"select {names},", 1)

    def aggregate(self, scope, by):
        r = self.random.randrange(14)
        e = lambda k, d=2: self.expression(k, scope, d)
        distinct = self.pick("", "", "distinct ")
        filtered = f" filter (where {e('bool')})" if self.chance(0.3) else ""
        if r == 0:
            return f"count(*){filtered}"
        if r < 3:
            return f"count({distinct}{e(self.random.choice(KINDS))}){filtered}"
        if r < 5:
            return f"sum({distinct}{e(self.pick('int', 'big', 'dec'))}){filtered}"
        if r == 5:
            return f"sum({self.leaf('double', scope)}){filtered}"
        if r < 8:
            return f"{self.pick('min', 'max')}({e(self.random.choice(['int', 'big', 'double', 'dec', 'text', 'date', 'ts', 'bool']))}){filtered}"
        if r == 8:
            return f"avg({distinct}{e(self.pick('int', 'double'), 1)}){filtered}"
        if r == 9:
            return f"{self.pick('bool_and', 'bool_or')}({e('bool')}){filtered}"
        if r == 10:
            return f"string_agg({e('text', 1)}, ',' order by {self.ordered(by)}){filtered}"
        if r == 11:
            return f"array_agg({e(self.pick('int', 'text'), 1)} order by {self.ordered(by)}){filtered}"
        if r == 12:
            return f"{self.pick('stddev', 'var_pop', 'stddev_pop', 'var_samp')}({self.leaf('int', scope)}){filtered}"
        return f"{self.pick('first_value', 'last_value')}({e(self.random.choice(KINDS), 1)} order by {self.ordered(by)}){filtered}".replace("first_value", either("first_value", "first")).replace("last_value", either("last_value", "last"))

    def grouped(self):
        source, scope, by = self.source()
        if any(word in source for word in (" union", " except", " intersect")):
            by = [column for of in KINDS for column in scope[of]]
        kinds = self.random.choices(["int", "text", "bool", "date", "dec", "double", "ts", "int"], k=self.random.randint(0, 3))
        keys = [self.expression(kind, scope, 1) if self.chance(0.5) else self.leaf(kind, scope) for kind in kinds]
        keys = list(dict.fromkeys(key for key in keys if re.search(r"[a-z]\.?[a-z]*", key) and re.search(r"\b(x|y|z)\.|\b(li|lt|k|g|day|rb|rm)\b", key)))
        inner = dict(scope)
        inner.pop("correlated", None)
        aggregates = [f"{self.aggregate(inner, by)} as {self.fresh()}" for _ in range(self.random.randint(1, 3))]
        # A name for each key, since GROUP BY of an expression is by the expression.
        named = [f"{key} as {self.fresh()}" for key in keys]
        sql = f"select {', '.join(named + aggregates)} from {source}{self.where(scope)}"
        if keys:
            how = self.random.randrange(8)
            listed = ", ".join(keys)
            if how == 0:
                listed = f"rollup ({listed})"
            elif how == 1:
                listed = f"cube ({listed})"
            elif how == 2:
                listed = f"grouping sets (({listed}), ({keys[0]}), ())"
            sql += f" group by {listed}"
        if self.chance(0.25):
            sql += f" having {self.pick('count(*) > 1', self.aggregate(inner, by) + ' is not null', 'max(' + self.leaf('int', scope) + ') > 0')}"
        return sql

    def windows(self):
        source, scope, by = self.source()
        if any(word in source for word in (" union", " except", " intersect")):
            return self.plain()
        inner = dict(scope)
        inner.pop("correlated", None)
        window = [f"{self.window(inner, by)} as {self.fresh()}" for _ in range(self.random.randint(1, 3))]
        sql = f"select {', '.join(f'{column} as o{n}' for n, column in enumerate(by))}, {', '.join(window)} from {source}{self.where(scope)}"
        if self.chance(0.2):
            sql += f" qualify {self.pick('row_number()', 'rank()')} over (partition by {self.leaf('int', inner)} order by {self.ordered(by)}) <= {self.pick(1, 2)}"
        return sql

    def window(self, scope, by):
        e = lambda k, d=1: self.expression(k, scope, d)
        partition = f"partition by {self.random.choice([c for of in ('int', 'text', 'bool', 'date') for c in scope[of]])} " if self.chance(0.6) else ""
        total = f"({partition}order by {self.ordered(by)}"
        ties = f"({partition}order by {self.ordered([self.random.choice([c for of in ('int', 'text', 'date', 'double', 'ts') for c in scope[of]])])})"
        r = self.random.randrange(12)
        if r == 0:
            return f"row_number() over {total})"
        if r == 1:
            return f"{self.pick('rank', 'dense_rank', 'percent_rank', 'cume_dist')}() over {ties}"
        if r == 2:
            return f"{self.pick('lag', 'lead')}({e(self.random.choice(KINDS))}, {self.pick(0, 1, 2)}) over {total})"
        if r == 3:
            kind = self.pick("int", "text", "date")
            return f"{self.pick('lag', 'lead')}({e(kind)}, {self.pick(1, 3)}, {self.leaf(kind, {})}) over {total})"
        if r == 4:
            return f"ntile({self.pick(1, 2, 3)}) over {total})"
        if r == 5:
            kind = self.random.choice(KINDS)
            return f"{self.pick('first_value', 'last_value')}({e(kind)}) over {total} {self.frame()})"
        if r == 6:
            return f"nth_value({e(self.random.choice(KINDS))}, {self.pick(1, 2)}) over {total} {self.frame()})"
        if r == 7:
            return f"{self.pick('sum', 'count', 'min', 'max')}({e(self.pick('int', 'big', 'dec'))}) over {ties}"
        if r == 8:
            value = e(self.random.choice(KINDS))
            return f"{self.pick('lag', 'lead', 'first_value', 'last_value')}({value} {either('', 'ignore nulls')}) {either('ignore nulls', '')} over {total})"
        if r == 9:
            filtered = f" filter (where {e('bool')})" if self.chance(0.5) else ""
            return f"{self.pick('sum', 'count', 'min', 'max')}({e(self.pick('int', 'dec'))}){filtered} over {total} {self.frame()})"
        if r == 10:
            return f"{self.pick('min', 'max')}({e(self.pick('text', 'date', 'ts', 'double'))}) over {total} {self.frame()})"
        column = self.random.choice(scope["int"])
        return f"sum({e('int')}) over ({partition}order by {column} {self.pick('asc', 'desc')} nulls {self.pick('first', 'last')} range between {self.pick(1, 2)} preceding and {self.pick('current row', '1 following')})"

    def frame(self):
        start, end = self.pick(
            ("unbounded preceding", "current row"),
            ("1 preceding", "1 following"),
            ("unbounded preceding", "unbounded following"),
            ("current row", "unbounded following"),
            ("2 preceding", "1 preceding"),
            ("1 following", "2 following"),
        )
        return f"rows between {start} and {end}"

    def set_operation(self):
        kinds = self.random.choices(KINDS, k=self.random.randint(1, 3))
        names = [self.fresh() for _ in kinds]

        def part():
            source, scope, _ = self.source()
            loose = [self.pick(kind, kind, kind, "big" if kind == "int" else kind, "double" if kind in NUMBERS else kind) for kind in kinds]
            columns = ", ".join(f"{self.expression(kind, scope, self.pick(0, 0, 1, 2))} as {name}" for kind, name in zip(loose, names))
            return f"select {columns} from {source}{self.where(scope, 0.3)}"

        operators = ["union", "union all", "except", "intersect", "except all", "intersect all"]
        sql = f"{part()} {self.random.choice(operators)} {part()}"
        if self.chance(0.4):
            sql += f" {self.random.choice(operators)} {part()}"
        if self.chance(0.2):
            sql += f" order by {self.ordered(names)} limit {self.random.randint(1, 9)}"
        return sql

    def others(self):
        source, scope, by = self.source()
        if any(word in source for word in (" union", " except", " intersect")):
            return self.plain()
        if self.chance(0.4):
            on = [self.leaf(self.pick("int", "text", "date", "bool"), {k: v for k, v in scope.items() if k != "correlated" and v}) for _ in range(self.pick(1, 2))]
            on = [column for column in dict.fromkeys(on) if re.fullmatch(r"[a-z.]+", column)] or [by[0]]
            return f"select distinct on ({', '.join(on)}) {', '.join(f'{column} as o{n}' for n, column in enumerate(by))}, {self.columns(scope, 1)} from {source}{self.where(scope)} order by {self.ordered(on + [c for c in by if c not in on])}"
        # A query over a query: what an outer one may push into an inner one.
        kinds = self.random.choices(KINDS, k=3)
        names = [self.fresh() for _ in kinds]
        columns = ", ".join(f"{self.expression(kind, scope, 2)} as {name}" for kind, name in zip(kinds, names))
        inner = f"select {columns}, row_number() over (partition by {self.leaf('int', {'int': scope['int']})} order by {self.ordered(by)}) as rn from {source}{self.where(scope, 0.3)}"
        outer = {kind: [] for kind in KINDS}
        for kind, name in zip(kinds, names):
            outer[kind].append(name)
        outer["int"].append("rn")
        return f"with q as ({inner}) select {self.columns(outer, 2)}, rn as {self.fresh()} from q{self.where(outer, 1)}"


def query(seed):
    return Writer(seed).query()
