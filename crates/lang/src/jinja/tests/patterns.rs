//! Python's `re`, and statements that do one thing or another.

use super::sql;

#[test]
fn patterns_do_what_those_of_python_do() {
    for (text, expected) in [
        ("modules.re.sub('[ -]+', '_', 'a - b-c')", "a_b_c"),
        ("modules.re.sub('(a)(b)', '\\\\2$\\\\1', 'xab')", "xb$a"),
        ("modules.re.sub('a', 'b', 'aaa', 1)", "baa"),
        ("modules.re.search('b+', 'abbc').group()", "bb"),
        ("modules.re.match('b', 'ab') is none", "True"),
        ("modules.re.match('(a)(x)?', 'ab').groups()", "('a', None)"),
        ("modules.re.fullmatch('A', 'a', modules.re.IGNORECASE) is none", "False"),
        ("modules.re.findall('[0-9]', 'a1b2')", "['1', '2']"),
        ("modules.re.split('[,;]', 'a,b;c')", "['a', 'b', 'c']"),
    ] {
        assert_eq!(sql(&[], &format!("{{{{ {text} }}}}")), expected, "{text}");
    }
}

#[test]
fn a_statement_may_do_one_thing_or_another() {
    let text =
        "{% set l = [] %}{% do l.append(1) if true else l.append(2) %}{% do l.append(3) if false %}{{ l }}";
    assert_eq!(sql(&[], text), "[1]");
}
