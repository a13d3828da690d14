//! Random SELECTs over three tables, and rows of these.
//!
//! Every SELECT has one answer: what depends on the order of rows is ordered by all that tells them apart. It is written in words that
//! DuckDB understands as mep does, so that both can be asked. What is therefore not written, and why:
//! - a mean of decimals that is not rounded down: mep gives decimals that are cut off, DuckDB doubles.

/// Numbers that are the same ones for a seed.
pub(crate) struct Random(u64);

impl Random {
    /// Those of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            random.next(2);
        }
        random
    }

    /// The next one, below another.
    pub(crate) fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % below as u64).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.next(of.len())]
    }

    fn value(&mut self) -> Option<i64> {
        if self.next(8) == 0 { None } else { Some(i64::try_from(self.next(4)).unwrap()) }
    }
}

/// A row of a table.
pub(crate) type Row = [Option<i64>; 3];

/// The tables of the schema `m`, each with its columns, of which the last one holds floats.
pub(crate) const TABLES: [(&str, [&str; 3]); 3] =
    [("t", ["k", "d", "v"]), ("u", ["k", "w", "z"]), ("p", ["e", "f", "g"])];

/// A SELECT of columns a, b and c, and whether its tables only get rows. What is only added to groups is merged with them; so that it is met
/// often enough, it is asked for.
pub(crate) fn query(random: &mut Random) -> (String, bool) {
    let depth = 1 + random.next(3);
    let only_adds = random.next(5) == 0;
    (if only_adds { groups(random, depth) } else { select(random, depth) }, only_adds)
}

/// A SELECT of columns a, b and c.
fn select(random: &mut Random, depth: usize) -> String {
    let of_table = |random: &mut Random| match random.next(3) {
        0 => "select k as a, d as b, v as c from m.t".to_owned(),
        1 => "select k as a, w as b, z as c from m.u".to_owned(),
        _ => "select e as a, f as b, g as c from m.p".to_owned(),
    };
    if depth == 0 {
        return of_table(random);
    }
    let one = select(random, depth - 1);
    match random.next(28) {
        0 => format!("select a, b, c from ({one}) where {}", condition(random, "")),
        1 => format!("select a, b, {} as c from ({one}) group by a, b", aggregate(random)),
        2 => format!(
            "select a, {} as b, {} as c from ({one}) group by a",
            aggregate(random),
            aggregate(random)
        ),
        3 => {
            let other = select(random, depth - 1);
            let kind = random.one(&["inner", "left", "right"]);
            let more = random.one(&[
                "",
                " and l.b < r.b",
                " and l.b between r.b and coalesce(r.c, 3)",
                " and l.c = r.c",
            ]);
            let columns =
                random.one(&["l.a, l.b, r.c", "l.a, r.b, l.c", "r.a, r.b, l.c", "l.b as a, r.c as b, l.c"]);
            format!("select {columns} from ({one}) l {kind} join ({other}) r on l.a = r.a{more}")
        }
        4 => {
            let other = select(random, depth - 1);
            format!(
                "select coalesce(l.a, r.a) as a, l.b, r.c from ({one}) l full join ({other}) r on l.a = r.a"
            )
        }
        5 => format!(
            "select a, b, {} over (partition by {} order by b, c, a) as c from ({one})",
            random.one(&["row_number()", "rank()", "lag(c)", "lead(c)", "sum(c)", "max(c)", "count(*)"]),
            random.one(&["a", "a, b"])
        ),
        6 => {
            let other = select(random, depth - 1);
            format!("({one}) {} ({other})", random.one(&["union all", "union", "except", "intersect"]))
        }
        7 => format!("select distinct a, {}, c from ({one})", random.one(&["b", "0 as b"])),
        8 | 9 => {
            let other = select(random, 0);
            let not = random.one(&["", "not "]);
            let more = random.one(&["", " and y.b > x.b", " and y.c = x.c"]);
            format!(
                "select a, b, c from ({one}) x where {not}exists (select 1 from ({other}) y where y.a = x.a{more})"
            )
        }
        10 => {
            let other = select(random, depth - 1);
            let not = random.one(&["", "not "]);
            format!(
                "select a, b, c from ({one}) x where {} {not}in (select {} from ({other}) y)",
                random.one(&["a", "b"]),
                random.one(&["a", "b"])
            )
        }
        11 => format!(
            "select a, b, c from (select *, row_number() over (partition by a order by b, c) as n from ({one})) where n <= 2"
        ),
        12 => format!("select a, b, c from ({one}) qualify rank() over (partition by a, b order by c) = 1"),
        13 => {
            let other = select(random, 0);
            format!("select a, b, (select max(y.c) from ({other}) y where y.a = x.a) as c from ({one}) x")
        }
        14 => {
            let other = select(random, 0);
            format!("select a, b, (select max(y.c) from ({other}) y) as c from ({one}) x")
        }
        15 => format!("select a, b, {0} as c from ({one}) group by a, b having {0} > 1", aggregate(random)),
        16 => format!(
            "select {} as a, b, c from ({one})",
            random.one(&["a + 1", "coalesce(a, 0)", "a % 2", "case when b > 1 then a end"])
        ),
        17 => format!("{one} union all select 0 as a, 1 as b, null as c"),
        18 => format!(
            "select a, b, {} as c from ({one}) group by {}",
            aggregate(random),
            random.one(&["rollup (a, b)", "grouping sets ((a, b), (a))"])
        ),
        19 => {
            let other = select(random, 0);
            format!(
                "select x.a, x.b, y.c from ({one}) x join (select a, {} as c from ({one}) group by a) y on y.a = x.a where x.b is not null or exists (select 1 from ({other}) z where z.a = x.a)",
                aggregate(random)
            )
        }
        20 => {
            let other = select(random, 0);
            format!(
                "select x.a, n.b, x.c from ({one}) x cross join (select distinct b from ({other}) where b is not null) n"
            )
        }
        21 => format!("select a, b, c from ({one}) order by a, b, c limit 3"),
        23 => format!("select {0} as a, {1} as b, {0} as c from ({one})", aggregate(random), sum(random)),
        24 => format!("select a, {} as b, {} as c from ({one}) group by a", sum(random), sum(random)),
        25 => {
            let other = select(random, 0);
            format!(
                "select {} as a, {} as b, {} as c from (select a, b, {} as c from ({one}) group by a, b) l join (select a as k, c as name from ({other})) r on l.a = r.k group by {0}",
                random.one(&["name", "b"]),
                random.one(&["count(*)", "cast(sum(c) as bigint)", "max(c)"]),
                random.one(&["min(c)", "count(c)", "cast(sum(c) as bigint)"]),
                aggregate(random),
            )
        }
        22 => {
            let other = select(random, depth - 1);
            format!(
                "select l.a, l.b, r.c from ({one}) l join ({other}) r on l.a is not distinct from r.a and l.b = r.b"
            )
        }
        _ => {
            let other = select(random, 0);
            format!(
                "select l.a, r.b, l.c from ({one}) l left join (select a, b, lead(b) over (partition by a order by b, c) as till from ({other})) r on l.a = r.a and l.c >= r.b and (l.c < r.till or r.till is null)"
            )
        }
    }
}

/// Groups of rows that are each made of one row, and perhaps one more row.
fn groups(random: &mut Random, depth: usize) -> String {
    let one = match random.next(3) {
        0 => select(random, 0),
        1 => format!("select a, b, c from ({}) where {}", select(random, 0), condition(random, "")),
        _ => select(random, depth),
    };
    let value = random.one(&[
        "min(c)",
        "max(c)",
        "count(*)",
        "count(c)",
        "cast(sum(b) as bigint)",
        "min(b)",
        "sum(b) filter (where c > 1)",
    ]);
    let more = random.one(&["", "", " union all select 2 as a, 3 as b, null as c"]);
    format!(
        "select a, {} as b, {value} as c from ({one}) group by a{more}",
        random.one(&["count(*)", "max(b)", "a + 1"])
    )
}

fn condition(random: &mut Random, of: &str) -> String {
    let (column, value) = (random.one(&["a", "b", "c"]), random.next(4));
    format!("{of}{column} {} {value}", random.one(&["=", "<", ">=", "is distinct from"]))
}

fn aggregate(random: &mut Random) -> &'static str {
    random.one(&[
        "cast(sum(c) as bigint)",
        "min(c)",
        "max(b)",
        "count(*)",
        "count(c)",
        "count(distinct c)",
        "cast(bool_or(c > 1) as bigint)",
        "cast(sum(c) filter (where b > 1) as bigint)",
        "min(a + coalesce(b, 0))",
    ])
}

/// What can lose rows.
fn sum(random: &mut Random) -> &'static str {
    random.one(&[
        "count(*)",
        "count(b)",
        "sum(b)",
        "sum(a) filter (where b > 1)",
        "cast(floor(10000 * avg(cast(b as decimal(6, 2)))) as bigint)",
        "avg(b)",
        "avg(a) filter (where b > 1)",
        "sum(case when b > 1 then a end)",
    ])
}

/// Fewer rows than `most`.
pub(crate) fn rows(random: &mut Random, most: usize) -> Vec<Row> {
    (0..random.next(most)).map(|_| [random.value(), random.value(), random.value()]).collect()
}
