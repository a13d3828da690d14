//! The scalar functions of which an equal is known.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

use super::expression::{Writer, constant, constant_text};
use super::{Dialect, Result, cast, literal, mojibake, time};

/// Stands between the columns of a key, as in `surrogate_key`.
const SEPARATOR: &str = "\u{1f}";
/// Stands for NULL in a key.
const NULL: &str = "\0";

/// A call of the function `name`.
pub(super) fn call(writer: &Writer<'_>, name: &str, args: &[Expr]) -> Result<String> {
    let dialect = writer.dialect;
    let text = |value: &str| literal::text(dialect, value);
    match (name, args) {
        ("coalesce" | "nvl", args) => Ok(format!("coalesce({})", writer.list(args)?)),
        ("nullif", [one, other]) => {
            writer.comparable(one, "nullif")?;
            Ok(format!("nullif({}, {})", writer.expression(one)?, writer.expression(other)?))
        }
        ("concat", args) => {
            let mut texts = Vec::new();
            for arg in args {
                // Of all engines' functions of this name, only mep's passes over NULL.
                let sql = as_text(writer, arg)?;
                let is_constant = constant(arg).is_some_and(|value| !value.is_null());
                texts.push(if is_constant { sql } else { format!("coalesce({sql}, '')") });
            }
            Ok(concat(&texts))
        }
        ("chr", [code]) => {
            let code = match constant(code).map(|code| code.cast_to(&DataType::UInt32)) {
                Some(Ok(ScalarValue::UInt32(Some(code)))) => char::from_u32(code),
                _ => None,
            };
            let code = code.ok_or_else(|| writer.refused("`chr` of what is no constant"))?;
            Ok(text(code.encode_utf8(&mut [0; 4])))
        }
        ("character_length" | "char_length" | "length", [arg]) if writer.type_of(arg)?.is_string() => {
            let sql = writer.expression(arg)?;
            Ok(match dialect {
                Dialect::Hive => format!("length({sql})"),
                Dialect::Trino => format!("CAST(length({sql}) AS integer)"),
            })
        }
        ("replace", args @ [_, from, _]) if constant_text(from).is_some_and(|from| !from.is_empty()) => {
            Ok(format!("replace({})", writer.list(args)?))
        }
        ("md5", [arg]) if writer.type_of(arg)?.is_string() => {
            let sql = writer.expression(arg)?;
            Ok(match dialect {
                Dialect::Hive => format!("md5({sql})"),
                Dialect::Trino => format!("lower(to_hex(md5(to_utf8({sql}))))"),
            })
        }
        ("hash_key", [arg]) => Ok(hash_key(dialect, &writer.expression(arg)?)),
        ("surrogate_key", args) => {
            let mut texts = Vec::new();
            for (index, arg) in args.iter().enumerate() {
                if index > 0 {
                    texts.push(text(SEPARATOR));
                }
                texts.push(format!("coalesce({}, {})", as_text(writer, arg)?, text(NULL)));
            }
            Ok(hash_key(dialect, &concat(&texts)))
        }
        ("fix_mojibake", [arg]) if dialect == Dialect::Trino => Ok(mojibake::trino(&writer.expression(arg)?)),
        ("fix_mojibake", _) => {
            let problem = writer.refused("`fix_mojibake` outside of a select's columns, where and group by");
            Err(problem.help("call it in a subquery"))
        }
        ("to_timestamp_millis", [arg]) => time::of_milliseconds(writer, arg),
        ("date_part", [part, arg]) => {
            let part = constant_text(part).unwrap_or_default().to_lowercase();
            time::part(writer, &part, arg)
        }
        ("date_trunc", [grain, arg]) => {
            let grain = constant_text(grain).unwrap_or_default().to_lowercase();
            time::truncated(writer, &grain, arg)
        }
        _ => {
            let problem = writer.refused(format!("the function `{name}`"));
            Err(problem.help("make the model a table, or write it with other functions"))
        }
    }
}

fn as_text(writer: &Writer<'_>, arg: &Expr) -> Result<String> {
    if writer.type_of(arg)?.is_string() {
        return writer.expression(arg);
    }
    cast::cast(writer, arg, &DataType::Utf8View)
}

fn concat(texts: &[String]) -> String {
    match texts {
        [one] => one.clone(),
        texts => format!("concat({})", texts.join(", ")),
    }
}

/// The first eight bytes of the MD5 as a signed big-endian number.
fn hash_key(dialect: Dialect, text: &str) -> String {
    match dialect {
        Dialect::Hive => format!("CAST(conv(substr(md5({text}), 1, 16), 16, -10) AS bigint)"),
        Dialect::Trino => format!("from_big_endian_64(substr(md5(to_utf8({text})), 1, 8))"),
    }
}
