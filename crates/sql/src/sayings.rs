//! What the texts of the engine mean, one by one: each with words of its own and what in the SQL it is about.
//!
//! The engine has no codes for its errors, so they are known by what they say. What is not in this list is said in its own words,
//! tidied.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::culprit::Culprit;
use super::failure::{Failure, OS_ERROR, arguments, in_words, regex, said_by_system, tidied};
use super::types_said::in_sql;

/// What some text of the engine's means.
pub(super) struct Saying {
    pub(super) pattern: Regex,
    pub(super) means: fn(&Captures<'_>) -> Failure,
}

fn saying(pattern: &str, means: fn(&Captures<'_>) -> Failure) -> Saying {
    Saying { pattern: regex(&format!("(?is){pattern}")), means }
}

/// The first one that fits decides.
pub(super) static SAYINGS: LazyLock<Vec<Saying>> = LazyLock::new(|| {
    let mut sayings = values();
    sayings.extend(subqueries());
    sayings.extend(texts());
    sayings.extend(times());
    sayings.extend(shapes());
    sayings.extend(files());
    sayings
});

const TRY_CAST: &str = "try_cast(… as …) gives NULL there; or leave such rows out";

/// Of subqueries that read the query around them.
fn subqueries() -> Vec<Saying> {
    vec![
        saying(r"correlated scalar subquery must be aggregated to return at most one row", |_| {
            Failure::saying(
                "a subquery that reads the query around it may give several rows here, where one is needed",
            )
            .helped("aggregate what it selects, as in (select max(…) …); or join it")
        }),
        saying(r"correlated scalar subquery can only be used in", |_| {
            Failure::saying("a subquery that reads the query around it can stand in the select list, WHERE and HAVING, and not here")
                .helped("select its value in a subquery or WITH first, and use that column here")
        }),
        saying(r"correlated scalar subquery in the GROUP BY clause must also be", |_| {
            Failure::saying("a subquery that reads the query around it cannot be grouped by")
                .helped("select its value in a subquery or WITH first, and group by that column")
        }),
    ]
}

/// Of numbers and casts.
fn values() -> Vec<Saying> {
    vec![
        saying(r"divide by zero", |_| {
            Failure::saying("division by zero")
                .helped("nullif(…, 0) around the divisor gives NULL there")
                .about(Culprit::Operators(vec!["/", "%"]))
        }),
        saying(r"Cannot cast (?:string|value) '(.*)' to value of (.+?) type", |found| {
            let to = in_sql(&found[2]);
            let to = to.split('(').next().unwrap_or(&to).to_owned();
            Failure::saying(format!("the text '{}' is no {to}", cut(&found[1])))
                .helped(TRY_CAST)
                .about(Culprit::Cast { to: Some(to), value: Some(found[1].to_owned()) })
        }),
        saying(r"Can(?:'|no)t cast value (\S+) to type ([A-Za-z0-9]+)", |found| {
            let to = in_sql(&found[2]);
            Failure::saying(format!("the value {} does not fit {to}", &found[1]))
                .helped("cast to a wider type; or try_cast(… as …), which gives NULL there")
                .about(Culprit::Cast { to: Some(to), value: None })
        }),
        saying(r"^(.+ overflow): (a sum is .+, which does not fit); (.+)$", |found| {
            Failure::saying(format!("{}: {}", &found[1], &found[2]))
                .helped(&found[3])
                .about_call(&["sum", "avg", "mean"])
        }),
        saying(r"(the \d+ bits of an? .+ cannot be shifted by \S+)", |found| {
            Failure::saying(&found[1]).about(Culprit::Operators(vec!["<<", ">>"]))
        }),
        saying(r"^(.+ overflow): (.+) does not fit; (.+)$", |found| {
            let detail = in_sql(&found[2]);
            let operator = OPERATOR.captures(&found[2]).and_then(|found| match &found[1] {
                "+" => Some("+"),
                "-" => Some("-"),
                "*" => Some("*"),
                "/" => Some("/"),
                "<<" => Some("<<"),
                _ => None,
            });
            let failure = Failure::saying(format!("{}: {detail} does not fit", &found[1])).helped(&found[3]);
            match operator {
                Some(operator) => failure.about(Culprit::Operators(vec![operator])),
                None => failure.about(Culprit::Operators(vec!["-"])),
            }
        }),
        saying(r"^(.+ overflow): a sum does not fit (.+); (.+)$", |found| {
            Failure::saying(format!("{}: a sum does not fit {}", &found[1], &found[2]))
                .helped(&found[3])
                .about_call(&["sum", "avg", "mean"])
        }),
        saying(r"(\w+) ?Array overflow on abs\((.*)\)", |found| {
            Failure::saying(format!("abs({}) does not fit {}", &found[2], in_sql(&found[1])))
                .helped("cast it to a wider type: bigint, or decimal(38, 0)")
                .about_call(&["abs"])
        }),
        saying(r"overflow happened on:? ?FACTORIAL\((.*)\)", |found| {
            Failure::saying(format!("factorial({}) does not fit bigint", &found[1]))
                .about_call(&["factorial"])
        }),
        saying(r"overflow happened on: (.+)$", |found| {
            let operator = if found[1].contains('*') {
                "*"
            } else if found[1].contains('+') {
                "+"
            } else {
                "-"
            };
            Failure::saying(format!("the result of {} does not fit its type", &found[1]))
                .helped("cast an operand to a wider type: bigint, or decimal(38, 0)")
                .about(Culprit::Operators(vec![operator]))
        }),
        saying(r"cannot take (.+) of a negative number", |found| {
            Failure::saying(format!("there is no {} of a negative number", &found[1]))
                .helped("leave such rows out, or make it NULL: case when x >= 0 then … end")
                .about_call(&["sqrt", "ln", "log", "log2", "log10"])
        }),
        saying(r"invalid Unicode scalar value: (\S+)", |found| {
            Failure::saying(format!("no character has the number {}", &found[1])).about_call(&["chr"])
        }),
        saying(r"Min/Max accumulator not implemented for type ([a-z]+)", |found| {
            Failure::saying(format!("values of type {} have no order", found[1].to_lowercase()))
                .helped("as in min(map_extract(m, 'key')[1]), of one that has")
                .about_call(&["min", "max"])
        }),
        saying(
            r"source table contains (\d+) columns? but only (\d+) names? given as column alias",
            |found| {
                Failure::saying(format!(
                    "{} columns come here, and {} are named or compared",
                    &found[1], &found[2]
                ))
                .helped("name or compare each of them, in their order")
            },
        ),
        saying(r"percentile value must be between 0\.0 and 1\.0 inclusive, (\S+) is invalid", |found| {
            Failure::saying(format!("a percentile lies between 0 and 1, and not at {}", &found[1]))
                .about_call(&[
                    "approx_percentile_cont",
                    "approx_percentile_cont_with_weight",
                    "percentile_cont",
                ])
        }),
        saying(r"'?(\w+)'? must be a literal", |found| {
            let name = found[1].to_lowercase();
            Failure::saying(format!("`{name}` takes a constant there, the same for all rows"))
                .about_call(&[&name])
        }),
        saying(r"string_agg delimiter must be a string literal", |_| {
            Failure::saying("the delimiter of `string_agg` is a text, the same for all rows")
                .helped("as in string_agg(name, ', ')")
                .about_call(&["string_agg"])
        }),
    ]
}

/// Of texts.
fn texts() -> Vec<Saying> {
    vec![
        saying(r"regex parse error:\s*\n\s*(.*?)\n.*error: ([^\n]+)", |found| {
            Failure::saying(format!(
                "`{}` is not a valid regular expression: {}",
                found[1].trim(),
                found[2].trim()
            ))
            .helped("a backslash takes the special meaning from a character: '\\('")
            .about(Culprit::Pattern(found[1].trim().to_owned()))
        }),
        saying(r"regular expression did not compile: (?:CompiledTooBig|Compiled regex exceeds)", |_| {
            Failure::saying("a regular expression is too large to be used")
                .about(Culprit::Pattern(String::new()))
        }),
        saying(r"regular expression did not compile: (.+)$", |found| {
            Failure::saying(format!("`{}` is not a valid regular expression", &found[1]))
                .helped("a backslash takes the special meaning from a character: '\\('")
                .about(Culprit::Pattern(found[1].to_owned()))
        }),
        saying(r"the pattern `(.*)` has no group (-?\d+)$", |found| {
            Failure::saying(format!("the pattern `{}` has no group {}", &found[1], &found[2]))
                .helped("groups are what stands in brackets, counted from 1; 0 is all that is found")
                .about_call(&["regexp_extract"])
        }),
        saying(r"failed to decode from (\w+): (.+)$", |found| {
            Failure::saying(format!("a text is not {}: {}", &found[1], tidied(&found[2])))
                .about_call(&["decode"])
        }),
        saying(
            r"there is no built-in encoding named '(.*)', currently supported encodings are: (.+)$",
            |found| {
                Failure::saying(format!("there is no encoding `{}`", &found[1]))
                    .helped(format!("there are {}", &found[2]))
                    .about_call(&["encode", "decode"])
            },
        ),
        saying(r"negative (?:substring length|count) not allowed:? ?(?:substr\(.*, )?(-?\d*)", |found| {
            Failure::saying(format!("a substring cannot have the negative length {}", &found[1]))
                .about_call(&["substr", "substring"])
        }),
        saying(
            r"`?(\w+)`? would make a value of (\d+) bytes, more than the (\d+) that one may have",
            |found| Failure::saying(found[0].to_owned()).about_call(&[&found[1]]),
        ),
        saying(r"invalid escape character in (\w+) expression", |found| {
            Failure::saying(format!("the escape of {} is one character", found[1].to_uppercase()))
                .helped(r"as in: x like '10!%' escape '!'")
        }),
    ]
}

/// Of times.
fn times() -> Vec<Saying> {
    vec![
        saying(r"(to_\w+) function unsupported data type at index \d+: (.+)$", |found| {
            Failure::saying(format!(
                "`{}` takes formats behind what it reads, and not {}",
                &found[1],
                in_sql(&found[2])
            ))
            .helped("as in to_timestamp(x, '%d/%m/%Y')")
            .about_call(&TO_TIMES)
        }),
        saying(r"unsupported data type (.+) for function (to_\w+)$", |found| {
            Failure::saying(format!("`{}` does not take {}", &found[2], in_sql(&found[1])))
                .about_call(&[&found[2]])
        }),
        saying(r"Error parsing timestamp from '(.*)' using format '(.*)': (.+)$", |found| {
            Failure::saying(format!(
                "the text '{}' does not read as `{}`: {}",
                cut(&found[1]),
                &found[2],
                &found[3]
            ))
            .helped("leave such rows out, or give the format of these as well: to_timestamp(x, f1, f2)")
            .about_call(&TO_TIMES)
        }),
        saying(r"Error parsing timestamp from '(.*)': (.+)$", |found| {
            Failure::saying(format!("the text '{}' is no timestamp: {}", cut(&found[1]), &found[2]))
                .helped(format!("a timestamp reads as in '2024-05-01 10:30:00'; {TRY_CAST}"))
                .about(Culprit::Cast { to: Some("timestamp".to_owned()), value: Some(found[1].to_owned()) })
        }),
        saying(r"Unable to cast to Date32 .*", |_| {
            Failure::saying("a value that `to_date` takes is no date")
                .helped("a date reads as in '2024-05-01'; try_cast(x as date) gives NULL for what is none")
                .about_call(&["to_date"])
        }),
        saying(r"cannot cast \S+ value -?\d+ to \S+: converted value exceeds", |_| {
            Failure::saying("a time is too far away to be computed here")
                .helped("this counts in nanoseconds, which reach from 1677 to 2262")
        }),
        saying(r"Timestamp out of range|out of range.*timestamp|date.* out of range$", |_| {
            Failure::saying("a time is too far away to be computed")
                .helped("leave such rows out, or add less: times end in the year 262142")
                .about(Culprit::Operators(vec!["+", "-"]))
        }),
        saying(r"(month|day|hour|minute|second) value '(.*)' is out of range", |found| {
            Failure::saying(format!("there is no {} {}", found[1].to_lowercase(), &found[2]))
                .about_call(&["make_date", "make_time"])
        }),
        saying(r#"invalid timezone "(.*)": "#, |found| {
            Failure::saying(format!("there is no time zone `{}`", &found[1]))
                .helped("as in 'UTC', 'Europe/Berlin' or '+02:00'")
        }),
        saying(r"(?:\b\w+ )?does not support: (interval|time\w*)\b", |found| {
            Failure::saying(format!("a value of type {} has no such part", in_sql(&found[1])))
                .about_call(&["date_part", "extract"])
        }),
        saying(r"the format `(.*)` (has .+|ends with `%`)$", |found| {
            Failure::saying(format!("the format `{}` {}", &found[1], &found[2]))
                .helped("as in '%Y-%m-%d %H:%M:%S'")
                .about_call(&[&["strftime", "strptime", "try_strptime", "to_time"][..], &TO_TIMES].concat())
        }),
        saying(r"date part '(.*)' not supported", |found| {
            Failure::saying(format!("a time has no part `{}`", &found[1]))
                .helped("there are year, quarter, month, week, day, dow, doy, hour, minute, second, epoch and others")
                .about(Culprit::Part(found[1].to_owned()))
        }),
        saying(r"unsupported date_trunc granularity: '(.*)'\. Supported values are: (.+)$", |found| {
            Failure::saying(format!("`date_trunc` does not know `{}`", &found[1]))
                .helped(format!("it knows {}", &found[2]))
                .about_call(&["date_trunc"])
        }),
        saying(r"the interval of date_bin is longer than nothing", |_| {
            Failure::saying("the interval of `date_bin` must be longer than nothing")
                .about_call(&["date_bin", "tumble"])
        }),
        saying(r#"Invalid input syntax for type interval: "(.*)""#, |found| {
            Failure::saying(format!("`{}` is no interval", &found[1]))
                .helped("as in interval '1 day' or interval '2 hours 30 minutes'")
        }),
        saying(r"^Format error$", |_| {
            Failure::saying("the format of a time is not one")
                .helped("as in '%Y-%m-%d %H:%M:%S'")
                .about_call(&["to_char", "date_format", "to_timestamp", "to_date"])
        }),
    ]
}

pub(crate) const TO_TIMES: [&str; 7] = [
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
    "to_date",
    "to_unixtime",
];

/// Of what SQL is made of.
fn shapes() -> Vec<Saying> {
    vec![
        saying(r"argument #(\d+) must be an INTEGER or NULL", |found| {
            Failure::saying(format!("argument {} must be an integer that is written out, or NULL", &found[1]))
        }),
        saying(r"scalar subquery returned more than one row", |_| {
            Failure::saying("a subquery that stands for one value gives several rows")
                .helped("make it one: an aggregate such as max(…), or limit 1 with an order")
                .about(Culprit::Subquery)
        }),
        saying(r"(LIMIT|OFFSET) must be >= 0, '(.*)' was provided", |found| {
            Failure::saying(format!("{} cannot be negative: {}", found[1].to_lowercase(), &found[2]))
                .about(Culprit::Limit)
        }),
        saying(r"placeholder '?(\S+?)'? was not provided a value", |found| {
            Failure::saying(format!("`{}` stands for a value that nothing gives", &found[1]))
                .helped("write the value, or take one of the project: {{ var('name') }}")
        }),
        saying(r"unnest\(\) can only be applied to array, struct and null", |_| {
            Failure::saying("`unnest` takes a list or a struct")
                .helped("a text becomes a list by string_to_array(x, ',')")
                .about_call(&["unnest"])
        }),
        saying(r"cannot access field at argument 1: type (.+) is not Struct, Map, or Null", |found| {
            Failure::saying(format!("a value of type {} has no fields", in_sql(&found[1])))
                .helped("an element of a list is read by its number: l[1]")
        }),
        saying(r"field (\S+) not found in struct", |found| {
            Failure::saying(format!("the struct has no field `{}`", &found[1]))
        }),
        saying(r"step can(?:'t|not) be (?:0|zero)", |_| {
            Failure::saying("the step of a series cannot be 0").about_call(&["generate_series", "range"])
        }),
        saying(r"NTILE requires a positive integer", |_| {
            Failure::saying("`ntile` takes how many groups to make, a number from 1 on")
                .about_call(&["ntile"])
        }),
        saying(r"there is only support Literal types for field at idx: \d+ in Window Function", |_| {
            Failure::saying("this function over a window takes a constant there, the same for all rows")
        }),
        saying(r"expected a signed integer literal for the second argument of (\w+)", |found| {
            Failure::saying(format!("`{}` takes a number there, the same for all rows", &found[1]))
                .about_call(&[&found[1]])
        }),
        saying(
            r"invalid window frame: frame offsets for ROWS / GROUPS must be non negative integers",
            |_| {
                Failure::saying("how far a window's frame reaches is a number, the same for all rows")
                    .helped("as in rows between 3 preceding and current row")
            },
        ),
        saying(
            r#"projections require unique expression names but the expression "(.*)" at position \d+ and ".*" at position"#,
            |found| {
                let name = found[1].rsplit(" AS ").next().unwrap_or(&found[1]);
                let name = name.rsplit('.').next().unwrap_or(name);
                Failure::saying(format!("two columns are named `{name}`"))
                    .helped("give one of them another name: … as other_name")
            },
        ),
        saying(r"cannot create filter with non-boolean predicate '(.*)' returning (.+)$", |found| {
            Failure::saying(format!(
                "a filter takes a condition, and `{}` is {}",
                &found[1],
                in_sql(&found[2])
            ))
            .helped("compare it: x <> 0, x is not null, x = 'yes'")
        }),
        saying(r"unsupported SQL type (\S+)", |found| {
            Failure::saying(format!("there is no type `{}`", found[1].to_lowercase())).helped(
                "there are boolean, integer, bigint, double, decimal, varchar, date, time and timestamp",
            )
        }),
        saying(r"unsupported type '(.*)'\. Must be a supported arrow type name", |found| {
            Failure::saying(format!("there is no type `{}` of Arrow", &found[1]))
                .helped("as in 'Int32' or 'Timestamp(ns)'; or cast(x as bigint), with a type of SQL")
        }),
        saying(r"unsupported ast node (?:in \w+: )?(\w+)", |found| {
            Failure::saying(format!("`{}` is not supported", in_words(&found[1])))
                .helped("write it with what the docs of the engine list: case, group by, joins, union all")
        }),
        saying(r"physical plan does not support logical expression WindowFunction", |_| {
            Failure::saying("a function over a window cannot stand here").helped(
                "give it a name in the SELECT list of a subquery, or write QUALIFY in the place of WHERE",
            )
        }),
        saying(r"physical plan does not support logical expression (\w+)", |found| {
            Failure::saying(format!("`{}` cannot stand here", in_words(&found[1])))
        }),
        saying(r"function '(\w+)' requires (\w+), but received .+ \(DataType: (.+)\)", |found| {
            let wanted = in_sql(&found[2]).to_lowercase().replace("string", "varchar");
            Failure::saying(format!("`{}` takes {wanted}, and not {}", &found[1], in_sql(&found[3])))
        }),
        saying(r"function '(\w+)' expects (\d+) arguments? but received (\d+)", |found| {
            Failure::saying(format!("`{}` takes {}, and not {}", &found[1], arguments(&found[2]), &found[3]))
        }),
        saying(r"field position must not be zero", |_| {
            Failure::saying("the parts of a text are counted from 1").about_call(&["split_part"])
        }),
        saying(
            r"cannot get result type for temporal operation (.+?) ([-+*/%]) (.+?): Invalid argument",
            |found| {
                let (left, right) = (in_sql(&found[1]), in_sql(&found[3]));
                Failure::saying(format!("there is no {left} {} {right}", &found[2]))
            },
        ),
        saying(
            r"failed to coerce arguments to satisfy a call to '(\w+)' function: coercion from (.+?) to the signature",
            |found| {
                let name = match &found[1] {
                    "array_prepend" | "array_append" | "array_concat" => "||",
                    name => name,
                };
                Failure::saying(format!("`{name}` does not take {}", in_sql(&found[2])))
            },
        ),
        saying(r"function '(\w+)' user-defined coercion failed with: (?:.*?error: )?(.+)$", |found| {
            let name = found[1].to_owned();
            Failure::saying(format!("`{name}` does not take this: {}", tidied(&found[2])))
                .about_call(&[&name])
        }),
    ]
}

/// Of the files of the warehouse.
fn files() -> Vec<Saying> {
    vec![
        saying(r"failed to fetch metadata for file (\S+?): (.+)$", |found| {
            file_failure(&found[1], &found[2])
        }),
        saying(r"Object at location (\S+) not found", |found| file_failure(&found[1], "not found")),
        saying(r"Unable to open file ([^:]+): (.+)$", |found| file_failure(&found[1], &found[2])),
        saying(r"^(?:Parquet(?: argument)? error|Parquet error|EOF): (.+)$", |found| {
            Failure::saying(format!("a stored file that the query reads is damaged: {}", tidied(&found[1])))
                .helped("build the tables that it reads anew, with --full-refresh")
        }),
    ]
}

fn file_failure(path: &str, reason: &str) -> Failure {
    let path =
        if path.starts_with('/') || path.contains("://") { path.to_owned() } else { format!("/{path}") };
    let table = path.split("/data/").next().and_then(|folder| folder.rsplit('/').next()).unwrap_or_default();
    let denied = OS_ERROR.captures(reason).filter(|found| &found[2] != "2");
    if let Some(denied) = denied {
        return Failure::saying(format!("cannot read {path}: {}", said_by_system(&denied[1], &denied[2])));
    }
    let what = if reason.contains("not found") {
        format!("the file {path} of the warehouse is gone")
    } else {
        format!("the file {path} of the warehouse is damaged")
    };
    Failure::saying(what).helped(format!("build the table anew: mep run --full-refresh --select {table}"))
}

static OPERATOR: LazyLock<Regex> = LazyLock::new(|| regex(r"\S ([-+*/]|<<) \S"));

/// A value as a message shows it.
fn cut(value: &str) -> String {
    const LONGEST: usize = 60;
    match value.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value.to_owned(),
    }
}
