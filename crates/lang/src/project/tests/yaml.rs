//! YAML as a tree.

use std::fmt::Write as _;

use serde_json::json;

use super::super::item::Item;
use super::super::{Problems, SourceText, yaml};
use super::shown;

/// A text as JSON, followed by the problems.
fn read(text: &str) -> (serde_json::Value, String) {
    let file = SourceText::new("a.yml", text);
    let mut problems = Problems::default();
    let node = yaml::parse(&file, &mut problems);
    (node.map(|node| node.json()).unwrap_or_default(), shown(problems.iter()))
}

fn value(text: &str) -> serde_json::Value {
    let (value, problems) = read(text);
    assert_eq!(problems, "");
    value
}

fn problems(text: &str) -> String {
    read(text).1
}

#[test]
fn an_empty_file_is_null() {
    assert_eq!(value(""), json!(null));
    assert_eq!(value("# only a comment\n"), json!(null));
    assert_eq!(value("---\n"), json!(null));
}

#[test]
fn scalars_follow_the_core_schema() {
    let text = "[true, False, null, ~, 12, -3, +4, 0x1f, 0o17, 1.5, 1e3, .5, text, 'true', \"12\", 18446744073709551615]";
    let expected =
        json!([true, false, null, null, 12, -3, 4, 31, 15, 1.5, 1000.0, 0.5, "text", "true", "12", u64::MAX]);
    assert_eq!(value(text), expected);
}

#[test]
fn what_only_looks_like_a_value_is_a_text() {
    let text =
        "[yes, off, 2018-11-01, 02134, 1.2.3, 1_000, 123456789012345678901234567890, .inf, .nan, e5, +]";
    let texts = [
        "yes",
        "off",
        "2018-11-01",
        "02134",
        "1.2.3",
        "1_000",
        "123456789012345678901234567890",
        ".inf",
        ".nan",
        "e5",
        "+",
    ];
    assert_eq!(value(text), json!(texts));
}

#[test]
fn a_tag_decides_what_a_scalar_is() {
    assert_eq!(value("[!!str 12, !!int '12', ! 5]"), json!(["12", 12, "5"]));
}

#[test]
fn aliases_and_merges_are_expanded() {
    let text =
        "base: &base {a: 1, b: 2}\nlist: [*base]\nown: {<<: *base, b: 3}\nmany: {<<: [{c: 1}, {c: 2, d: 3}]}";
    let expected = json!({
        "base": {"a": 1, "b": 2}, "list": [{"a": 1, "b": 2}], "own": {"b": 3, "a": 1}, "many": {"c": 1, "d": 3},
    });
    assert_eq!(value(text), expected);
}

#[test]
fn keys_need_not_be_texts() {
    assert_eq!(value("1: a\ntrue: b\n~: c\non: d"), json!({"1": "a", "true": "b", "~": "c", "on": "d"}));
}

#[test]
fn a_place_is_the_value_and_no_more_than_its_line() {
    let file = SourceText::new("a.yml", "é: 1\nlist:\n  - {a: 'x'}  # why\n  - b\nlong: |\n  one\n  two\n");
    let node = yaml::parse(&file, &mut Problems::default()).unwrap();
    let mapping = Item::file(&file, &node).mapping(&mut Problems::default());
    let pointed = |item: Item<'_>| {
        let place = item.place();
        file.text()[place.span.start..place.span.end()].to_owned()
    };
    let list = mapping.get("list").unwrap();
    let items = list.list(&mut Problems::default());
    assert_eq!(pointed(mapping.get("é").unwrap()), "1");
    assert_eq!(pointed(items[0]), "{a: 'x'}");
    assert_eq!(pointed(items[1]), "b");
    assert_eq!(pointed(list), "- {a: 'x'}  # why");
    assert_eq!(pointed(mapping.get("long").unwrap()), "one");
}

#[test]
fn syntax_errors_have_a_place() {
    insta::assert_snapshot!(problems("a: [1, 2\nb: 3\n"), @r"a.yml:2:2: this is no YAML: illegal placement of ':' indicator");
    insta::assert_snapshot!(problems("a: 1\n b: 2\n"), @r"a.yml:2:3: this is no YAML: mapping values are not allowed in this context");
    insta::assert_snapshot!(problems("a: 'never ends\n"), @r"a.yml:1:4: this is no YAML: unclosed quote");
    insta::assert_snapshot!(problems("a:\n\t- b\n"), @r"a.yml:2:2: this is no YAML: tabs disallowed within this context (block indentation)");
    insta::assert_snapshot!(problems("a: *unknown\n"), @r"a.yml:1:4: this is no YAML: while parsing node, found unknown anchor");
}

#[test]
fn of_a_key_that_is_written_twice_the_last_counts() {
    insta::assert_snapshot!(problems("a: 1\nb: 2\na: 3\n"), @r"
    a.yml:3:1: the key `a` is written twice, and the last one counts
        the first is on line 1; take one of them away
    ");
}

#[test]
fn what_is_more_than_a_tree_is_refused() {
    insta::assert_snapshot!(problems("a: 1\n---\nb: 2\n"), @r"a.yml:2:1: expected one YAML document, found another after `---`");
    insta::assert_snapshot!(problems("a: !secret b\n"), @r"a.yml:1:12: the YAML tag `!secret` is not supported by mep");
    insta::assert_snapshot!(problems("[a]: b\n"), @r"a.yml:1:1: expected a text as key, found a list or mapping");
    insta::assert_snapshot!(problems("<<: 3\na: 1\n"), @r"a.yml:1:5: expected a mapping to merge, found another value");
    insta::assert_snapshot!(problems("a: &a [*a]\n"), @r"a.yml:1:8: an alias cannot stand inside of what it names");
}

#[test]
fn depth_and_size_have_a_limit() {
    let deep = "[".repeat(5000);
    insta::assert_snapshot!(problems(&deep), @r"a.yml:1:256: this is no YAML: recursion limit exceeded");
    let deep = format!("{}{}", "[".repeat(150), "]".repeat(150));
    insta::assert_snapshot!(problems(&deep), @r"a.yml:1:101: expected at most 100 levels, found more");
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        writeln!(laughs, "a{level}: &a{level} [{below}]").unwrap();
    }
    insta::assert_snapshot!(problems(&laughs), @r"a.yml:6:40: expected a smaller file, found too much for one");
}

#[test]
fn no_bytes_make_it_panic() {
    let text =
        "version: 2\nmodels:\n  - name: 'é'\n    tests: [unique, {a: {b: *c}}]\n    x: |\n      {{ y }}\n";
    for (at, _) in text.char_indices() {
        read(&text[..at]);
        read(&text[at..]);
        for odd in ["\u{0}", "\u{feff}", "\t", "- ", ": ", "{", "&a ", "*a", "!!", "%", "\r", "? "] {
            read(&format!("{}{odd}{}", &text[..at], &text[at..]));
        }
    }
}
