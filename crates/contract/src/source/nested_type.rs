//! The names of types that hold others: lists, structures and maps, as the dialects of SQL write them.
//!
//! Owns how such a name is taken apart. Comes in: the name as written. Goes out: the kind, and the names within it. Must not know: what
//! the names within mean.
//!
//! | kind | written |
//! |---|---|
//! | list | `bigint[]`, `array<bigint>`, `array(bigint)`, `list<bigint>` |
//! | struct | `struct<a bigint, b varchar>`, `struct<a: bigint>`, `struct(a bigint)`, `row(a bigint)` |
//! | map | `map<varchar, bigint>`, `map(varchar, bigint)` |

/// A name of a type that holds others, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NestedName<'n> {
    /// A list, of this.
    List(&'n str),
    /// A structure: names of its fields, and their types.
    Struct(Vec<(String, &'n str)>),
    /// A map, from this to that.
    Map(&'n str, &'n str),
}

/// The name taken apart; `None` where it is of no such type, or badly written.
pub(super) fn nested_name(name: &str) -> Option<NestedName<'_>> {
    let name = name.trim();
    if let Some(rest) = name.strip_suffix(']') {
        let open = rest.rfind('[')?;
        let is_count = rest[open + 1..].trim().bytes().all(|byte| byte.is_ascii_digit());
        return is_count.then(|| NestedName::List(rest[..open].trim()));
    }
    let open = name.find(['<', '('])?;
    let close = if name[open..].starts_with('<') { '>' } else { ')' };
    let inner = name[open + 1..].strip_suffix(close)?;
    let parts = parts(inner)?;
    match name[..open].trim().to_ascii_lowercase().as_str() {
        "array" | "list" => match parts.as_slice() {
            [item] => Some(NestedName::List(item)),
            _ => None,
        },
        "map" => match parts.as_slice() {
            [key, value] => Some(NestedName::Map(key, value)),
            _ => None,
        },
        "struct" | "row" => {
            let fields: Option<Vec<_>> = parts.into_iter().map(field).collect();
            fields.filter(|fields| !fields.is_empty()).map(NestedName::Struct)
        }
        _ => None,
    }
}

/// What stands between commas that are within no brackets and quotes.
fn parts(inner: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    for (at, character) in inner.char_indices() {
        match (character, quote) {
            (_, Some(open)) => quote = quote.filter(|_| character != open),
            ('"' | '`', None) => quote = Some(character),
            ('<' | '(' | '[', None) => depth += 1,
            ('>' | ')' | ']', None) => depth = depth.checked_sub(1)?,
            (',', None) if depth == 0 => {
                parts.push(inner[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(inner[start..].trim());
    (depth == 0 && quote.is_none()).then_some(parts)
}

/// A field of a structure: its name, perhaps in quotes, then a colon or white space, then its type.
fn field(part: &str) -> Option<(String, &str)> {
    let first = part.chars().next()?;
    let (name, rest) = if matches!(first, '"' | '`') {
        let end = part[1..].find(first)? + 1;
        (&part[1..end], &part[end + 1..])
    } else {
        part.split_at(part.find([':', ' ', '\t', '\n'])?)
    };
    let rest = rest.trim_start();
    let data_type = rest.strip_prefix(':').unwrap_or(rest).trim();
    (!name.is_empty() && !data_type.is_empty()).then(|| (name.to_owned(), data_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_dialects_are_taken_apart() {
        assert_eq!(nested_name("decimal(9,2)[]"), Some(NestedName::List("decimal(9,2)")));
        assert_eq!(nested_name("ARRAY<struct<a int>>"), Some(NestedName::List("struct<a int>")));
        assert_eq!(
            nested_name("struct<a: map<varchar, int>, \"b c\" decimal(9,2)>"),
            Some(NestedName::Struct(vec![
                ("a".to_owned(), "map<varchar, int>"),
                ("b c".to_owned(), "decimal(9,2)")
            ]))
        );
        assert_eq!(nested_name("map(varchar, int[])"), Some(NestedName::Map("varchar", "int[]")));
        for wrong in ["decimal(9,2)", "struct<>", "struct<a>", "map<int>", "array<int", "array<int>>", "x[y]"]
        {
            assert_eq!(nested_name(wrong), None, "{wrong}");
        }
    }
}
