//! What texts render to, by Jinja2 as dbt sets it up: `corpus/plain.txt`, and `corpus/dbt.txt` for what a model of a dbt
//! project sees. Each text stands after `>>>`, and what it renders to below it; `!!!` is an error, which mep may say in
//! its own words. `corpus/oracle.py` fills in what is below.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value as Json;

use super::{Names, invocation, project, said, subject};
use crate::jinja::{Subject, Templates};
use crate::project::SourceText;

/// A text and what it renders to.
struct CorpusCase {
    text: String,
    expected: String,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/jinja/tests/corpus")
}

fn cases(file: &str) -> Vec<CorpusCase> {
    let content = std::fs::read_to_string(folder().join(file)).unwrap();
    let mut cases: Vec<CorpusCase> = Vec::new();
    let mut is_input = false;
    for line in content.lines() {
        if let Some(text) = line.strip_prefix(">>> ") {
            cases.push(CorpusCase { text: text.to_owned(), expected: String::new() });
            is_input = true;
        } else if let Some(more) = line.strip_prefix("... ").filter(|_| is_input) {
            let case = cases.last_mut().unwrap();
            case.text = format!("{}\n{more}", case.text);
        } else if !line.starts_with("== ") && !line.starts_with("-- ") {
            let case = cases.last_mut().unwrap();
            let end = if is_input { "" } else { "\n" };
            case.expected = format!("{}{end}{line}", case.expected);
            is_input = false;
        }
    }
    cases
}

/// Where mep is not as Jinja2 is, and why.
type Differing = [(&'static str, &'static str)];

#[track_caller]
fn check(file: &str, macros: &[(&str, &str)], differing: &Differing) {
    let mut project = project(macros);
    project.is_strict = false;
    project.vars = [
        ("country", serde_json::json!("SE")),
        ("countries", serde_json::json!(["SE", "DK"])),
        ("nested", serde_json::json!({"a": 1, "b": ["x", "y"]})),
        ("nothing", serde_json::Value::Null),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let templates = Templates::new(&project, invocation()).unwrap();
    let mut failed = Vec::new();
    let (mut equal, mut all) = (0, 0);
    for CorpusCase { text, expected } in cases(file) {
        all += 1;
        let source = SourceText::new("models/m.sql", text.as_str());
        let fqn = ["shop", "m"].map(str::to_owned);
        let config =
            [("materialized", "view".into()), ("tags", Json::Array(Vec::new())), ("enabled", true.into())];
        let config = config.map(|(key, value)| (key.to_owned(), value)).into();
        let subject = Subject { fqn: &fqn, config, ..subject(&source) };
        let rendered = templates.render(&subject, Arc::new(Names { incremental: false }));
        let found = match rendered {
            Ok(rendered) => rendered.sql,
            Err(_) if expected.starts_with("!!!") => expected.clone(),
            Err(problem) => said(&problem),
        };
        let is_known = differing.iter().any(|(of, _)| *of == text);
        equal += usize::from(found == expected);
        if (found == expected) == is_known {
            failed.push(format!(">>> {text}\nexpected: {expected}\n   found: {found}"));
        }
    }
    let failed_count = failed.len();
    assert!(
        failed.is_empty(),
        "{equal} of {all} are equal; {failed_count} not as known\n{}",
        failed.join("\n")
    );
}

const ORDER: &str = "values of all kinds have an order here";
const NUMBERS: &str = "numbers have methods here, and no parts";
const LOCAL_MACROS: &str = "a macro of a model's own, which dbt does not have, is the engine's";

const PLAIN: &Differing = &[
    ("{{ 1 < 'a' }}", ORDER),
    ("{{ none < 1 }}", ORDER),
    ("{{ nothing < 1 }}", ORDER),
    ("{{ 1 in 'abc' }}", "what is looked for in a text is made one"),
    ("{{ 'a b'.replace(old=' ', new='') }}", "arguments may be named"),
    (
        "{{ (5).bit_length() }} {{ 5.0.is_integer() }} {{ 5.5.is_integer() }} {{ (3).real }} {{ (3).numerator }} {{ 2.5.as_integer_ratio() }} {{ 1.5.real }}",
        NUMBERS,
    ),
    ("{{ (255).to_bytes(2, 'big') }}", "there are no bytes"),
    ("{{ true.real }} {{ (-5) | abs }} {{ 5.0.hex() }}", NUMBERS),
    (
        "{{ 'abc' | attr('upper') is callable }} {{ 'a' | string | length }} {{ 'ab' | map('upper') | join('-') }} {{ 'a,b' | list | join }}",
        "a method is called, and no value",
    ),
    ("{{ [1, 2] | map('string') | length }}", "filters give lists, whose length is known"),
    (
        "{% for x in 'abc' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
        "a loop over a text does not know how long it is",
    ),
    (
        "{% for k, v in {'a': 1, 'b': 2}.items() if v > 1 %}{{ k }}{{ loop.length }}{% endfor %} {% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %} {% for a, b in ['xy', 'zw'] %}{{ a }}-{{ b }} {% endfor %}",
        "a text is not taken apart into names",
    ),
    ("{% for x in none %}{% endfor %}", "none holds nothing"),
    ("{% for x in [1, 2] %}{{ loop }}{% endfor %}", "a loop has another name when it is printed"),
    (
        "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }} {{ m() }} {{ m(1) }}",
        LOCAL_MACROS,
    ),
    (
        "{% macro inner(x, y) %}{{ x }}+{{ y }}{% endmacro %}{% macro outer() %}{{ inner(*varargs, **kwargs) }}{% endmacro %}{{ outer(1, 2) }} {{ outer(x=1, y=2) }} {{ outer(1, y=5) }}",
        LOCAL_MACROS,
    ),
    (
        "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m.name }} {{ m.arguments }} {{ m.catch_kwargs }} {{ m.catch_varargs }} {{ m.caller }} {{ m is callable }}",
        LOCAL_MACROS,
    ),
    (
        "{% do [1].append(2) %}{% do none %}{% do 1 + 1 %}ok {% do 'x' if true else 'y' %}",
        "`do` does what has an effect: a call",
    ),
    ("{%+ if true %}a{% endif +%} b {{+ 1 +}}", "a sign may stand at the end of a tag too"),
    (
        "{{ joiner is callable }} {% set j = joiner(', ') %}{{ j() }}a{{ j() }}b{{ j() }}c {% set c = cycler('x', 'y') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{% do c.reset() %}{{ c.next() }}",
        "a cycler goes on and does not begin again",
    ),
    (
        "{{ lipsum is callable }} {{ range(1, 3) | list }} {{ dict is callable }} {{ namespace is callable }} {{ cycler is callable }}",
        "there is no `lipsum`",
    ),
    (
        "{{ \"a\\\"b\" }} {{ 'a\\'b' }} {{ 'tab\\there' }} {{ 'x\\\\y' }} {{ '\\x41\\u0042' }} {{ 'line\\\njoined' }}",
        "a text of several lines keeps them",
    ),
];

const IN_PROJECT: &Differing = &[(
    "{{ fromyaml('a: 1\\nb: [x, y]\\nc: {d: null}\\ne: 1.5\\nf: yes\\ng: \"5\"') }} {{ fromyaml('- 1\\n- a') }} {{ fromyaml('{a: 2}').a }} {{ fromyaml('a: [', 'd') }} {{ fromyaml('x') }}",
    "`yes` is a text, as in all YAML of mep",
)];

const MACROS: &str = r"
{% macro given(a, b='x') %}{{ a }}{{ b }}{% endmacro %}
{% macro listed() %}{{ return([1, 2]) }}{% endmacro %}
{% macro early(x) %}{% if x %}{% do return('then') %}{% endif %}else{% endmacro %}
{% macro passed() %}{{ given(*varargs, **kwargs) }}{% endmacro %}
{% macro wrapped() %}<{{ caller('x') }}>{% endmacro %}
{% macro greet(name) %}{{ return(adapter.dispatch('greet')(name)) }}{% endmacro %}
{% macro default__greet(name) %}hello {{ name }}{% endmacro %}
{% macro default_of_var(x=var('country')) %}{{ x }}{% endmacro %}
{% macro named() %}{{ return({'a': 1, 'b': none}) }}{% endmacro %}
{% macro defaults(a=1, b=a + 1, c=[a, b] | join('-'), d=none) -%}
  {{ a }} {{ b }} {{ c }}
{%- endmacro %}
{% macro shown() %}{{ model.name }}{{ this }}{% endmacro %}
";

#[test]
fn texts_render_as_by_jinja2() {
    check("plain.txt", &[], PLAIN);
}

#[test]
fn texts_of_a_project_render_as_by_dbt() {
    check("dbt.txt", &[("macros/given.sql", MACROS)], IN_PROJECT);
}

/// Asks dbt anew what all texts render to; with `INSTA_UPDATE=always` that is what is expected from then on.
#[test]
#[ignore = "nightly: installs dbt from PyPI"]
fn what_is_expected_is_what_dbt_says() {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/python_environment");
    let installed = Command::new(script).arg("dbt").output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let python = PathBuf::from(String::from_utf8(installed.stdout).unwrap().trim()).join("python");
    for (kind, file) in [("plain", "plain.txt"), ("dbt", "dbt.txt")] {
        let path = folder().join(file);
        let asked =
            Command::new(&python).arg(folder().join("oracle.py")).arg(kind).arg(&path).output().unwrap();
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        let now = String::from_utf8(asked.stdout).unwrap();
        if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
            std::fs::write(&path, &now).unwrap();
        }
        assert_eq!(now, std::fs::read_to_string(&path).unwrap(), "{file}");
    }
}
