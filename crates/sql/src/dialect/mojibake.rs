//! `fix_mojibake` elsewhere: a text without any layer of UTF-8 that was read as Latin-1.
//!
//! A misread text has at least twice as many characters that are not ASCII as the text before it, so a text's length
//! bounds how often it can have been misread.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::Expr;

use super::Dialect;
use super::literal;
use crate::tree::TreeWalk;

/// How many layers a view of Hive undoes. A text with more makes its query fail.
pub(super) const LAYERS: usize = 3;

/// Where a text is not UTF-8 read as Latin-1: it holds a character that Latin-1 does not have, or one that as a byte
/// cannot stand where it stands in UTF-8. Looking back and ahead and not matching whole texts, since Java's
/// repetitions of alternatives overflow the stack on long texts.
const NOT_MISREAD: &str = r"[^\x00-\xFF]|[\xC0\xC1\xF5-\xFF]|[\xC2-\xDF](?![\x80-\xBF])|\xE0(?![\xA0-\xBF][\x80-\xBF])|\xED(?![\x80-\x9F][\x80-\xBF])|[\xE1-\xEC\xEE\xEF](?![\x80-\xBF]{2})|\xF0(?![\x90-\xBF][\x80-\xBF]{2})|[\xF1-\xF3](?![\x80-\xBF]{3})|\xF4(?![\x80-\x8F][\x80-\xBF]{2})|(?<![\xC2-\xF4]|[\xE0-\xF4][\x80-\xBF]|[\xF0-\xF4][\x80-\xBF]{2})[\x80-\xBF]";

/// The calls of `fix_mojibake`, each once, and their arguments.
pub(super) fn calls(exprs: &[Expr]) -> Vec<(Expr, Expr)> {
    let mut found: Vec<(Expr, Expr)> = Vec::new();
    for expr in exprs {
        // The closure returns no error, so neither does the walk.
        let _ = expr.walk(&mut |part| {
            if let Expr::ScalarFunction(call) = part
                && call.func.name() == "fix_mojibake"
                && let [argument] = call.args.as_slice()
                && !found.iter().any(|(seen, _)| seen == part)
            {
                found.push((part.clone(), argument.clone()));
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }
    found
}

/// The text with one layer less, where it has one. For plain ASCII this is the text itself.
pub(super) fn hive_step(text: &str) -> String {
    let pattern = literal::text(Dialect::Hive, NOT_MISREAD);
    format!(
        "CASE WHEN {text} RLIKE {pattern} THEN {text} ELSE decode(encode({text}, 'ISO-8859-1'), 'UTF-8') END"
    )
}

/// The text, or an error where it has yet another layer.
pub(super) fn hive_checked(text: &str) -> String {
    let pattern = literal::text(Dialect::Hive, &format!(r"\A[\x00-\x7F]*\z|{NOT_MISREAD}"));
    format!(
        "CASE WHEN {text} IS NULL OR {text} RLIKE {pattern} THEN {text} ELSE CAST(assert_true({text} IS NULL) AS string) END"
    )
}

/// The text without any layer. Every character of a misread text is one or two bytes in UTF-8: itself, or after C2, or
/// 40 less after C3.
pub(super) fn trino(text: &str) -> String {
    let latin = "to_hex(to_utf8(s))";
    let bytes = format!(
        "from_hex(regexp_replace({latin}, '([0-7].)|C2(..)|C3(.)(.)', m -> coalesce(m[1], m[2], translate(m[3], '89AB', 'CDEF') || m[4])))"
    );
    let step = format!(
        "CASE WHEN length(s) = length(to_utf8(s)) OR NOT regexp_like({latin}, '^([0-7].|C[23]..)*$') THEN s WHEN to_utf8(from_utf8({bytes})) = {bytes} THEN from_utf8({bytes}) ELSE s END"
    );
    format!(
        "CASE WHEN length({text}) = length(to_utf8({text})) THEN {text} ELSE reduce(sequence(1, CAST(log2(length({text})) AS bigint) + 1), {text}, (s, i) -> {step}, s -> s) END"
    )
}
