//! Jinja as Jinja2 has it.

use super::sql;

/// What each text renders to by Jinja2.
const CASES: [(&str, &str); 1] = [("{{ true }}", "True")];

#[test]
fn texts_render_as_jinja2_renders_them() {
    let differing: Vec<String> = CASES
        .iter()
        .map(|(text, expected)| (text, expected, sql(&[], text)))
        .filter(|(_, expected, found)| found != **expected)
        .map(|(text, expected, found)| format!("{text}\n  expected: {expected}\n     found: {found}"))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
