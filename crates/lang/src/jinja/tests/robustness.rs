//! Nothing that a text does brings mep down.

use super::{Templates, invocation, project, sql};

/// A thread has 2 MiB of stack unless it is asked for more.
fn on_a_small_stack(work: impl FnOnce() -> String + Send + 'static) -> String {
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap()
}

#[test]
fn endless_recursion_ends_with_a_problem() {
    let said = on_a_small_stack(|| {
        let macros = [(
            "macros/a.sql",
            "{% macro ping(x) %}{% for i in [1] %}{% if true %}{{ pong(x) }}{% endif %}{% endfor %}{% endmacro %}\
             {% macro pong(x) %}{% set y %}{{ adapter.dispatch('ping')(x) }}{% endset %}{{ y }}{% endmacro %}\
             {% macro default__ping(x) %}{{ ping(x) }}{% endmacro %}",
        )];
        sql(&macros, "{{ ping(1) }}")
    });
    insta::assert_snapshot!(said, @r"
    problem: macros call each other more than 200 deep, at last `default__ping`
       at: macros/a.sql:1:150 `('ping')(x)`
    label: in a macro that models/m.sql calls at 1:4
     help: let the macro end its recursion by an `if`
    ");
}

#[test]
fn a_call_block_that_recurses_ends_with_a_problem() {
    let said = on_a_small_stack(|| {
        let macros = [(
            "macros/a.sql",
            "{% macro wrap() %}{% set inner = caller %}{% call wrap() %}{{ inner() }}{% endcall %}{% endmacro %}",
        )];
        sql(&macros, "{% call wrap() %}x{% endcall %}")
    });
    assert!(said.starts_with("problem: macros call each other more than 200 deep"), "{said}");
}

#[test]
fn a_macro_of_the_model_itself_that_recurses_ends_with_a_problem() {
    let said = on_a_small_stack(|| sql(&[], "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}"));
    insta::assert_snapshot!(said, @r"
    problem: blocks and macros nest too deep
       at: models/m.sql:1:20 `f(x)`
     help: let the recursion end by an `if`
    ");
}

#[test]
fn nothing_holds_itself() {
    for text in [
        "{% set l = [] %}{% do l.append(l) %}{{ l }}",
        "{% set l = [1] %}{% do l.append([[l]]) %}{{ l | tojson }}",
        "{% set l = [] %}{% do l.extend([1, l]) %}{{ l == l }}",
        "{% set l = [] %}{% do l.insert(0, (l, l)) %}{{ l | sort }}",
        "{% set d = {} %}{% do d.update({'d': d}) %}{{ d }}",
        "{% set d = {} %}{% do d.setdefault('d', [d]) %}{{ d | tojson }}",
        "{% set a = [] %}{% set b = [a] %}{% do a.append(b) %}{{ a == b }}",
        "{% set ns = namespace(x=1) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=1) %}{% for i in range(90000) %}{% set ns.x = (ns.x,) %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
        "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns ~ '' }}",
        "{% set ns = namespace() %}{% set ns.x = (1, (ns,)) %}{{ ns | tojson }}",
        "{% set a = namespace() %}{% set b = namespace(x=a) %}{% set a.x = b %}{{ a | string }}",
        "{% set a = namespace() %}{% set b = namespace({'x': a}) %}{% set a.x = b %}{{ [a] | join }}",
        "{% set ns = namespace() %}{% set x, ns.x = 1, ns %}{% do log(ns) %}",
        "{% set ns = namespace() %}{% set ns.x = cycler(ns) %}{{ exceptions.raise_compiler_error(ns) }}",
        "{% set ns = namespace() %}{% set ns.x = {'a': ns}.items() %}{{ ns == ns }}",
        "{% macro m() %}{% set kwargs.ns.x = kwargs %}{{ kwargs.ns }}{% endmacro %}{{ m(ns=namespace()) }}",
        "{% set a = [] %}{% set ns = namespace(x=a) %}{% for i in range(9000) %}{% set b = [] %}{% do ns.x.append(b) %}{% set ns.x = b %}{% endfor %}{{ a }}",
    ] {
        let said = on_a_small_stack(|| sql(&[], text));
        assert!(said.starts_with("problem: "), "{text}: {said:.200}");
    }
}

#[test]
fn work_and_memory_are_bounded() {
    for text in [
        "{{ 'x\ny' | indent(1000000000000000) }}",
        "{{ 'x' * 1000000000000 }}",
        "{{ [1] * 1000000000000 }}",
        "{{ range(1000000000000) | list }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ '%.2000000000f' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ 'x'.ljust(1000000000000) }}",
        "{{ 'x' | center(1000000000000) }}",
        "{{ [1] | batch(1000000000000, 0) }}",
        "{{ [1] | slice(1000000000000, 0) | list }}",
        "{{ 'x'.zfill(1000000000000) }}",
        "{% set ns = namespace(x='x') %}{% for i in range(90) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x='x') %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] | join %}{% endfor %}{{ ns.x }}",
        "{% set l = [1] %}{% for i in range(90) %}{% do l.extend(l) %}{% endfor %}{{ l | length }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ '%*d' % (10000000000, 1) }}",
        "{{ '%1000001s' | format('x') }}",
        "{{ '{:>{w}}'.format('x', w=100000000) }}",
        "{{ 'x' | indent(width=100000000) }}",
        "{% set l = range(99999) | list %}{% for i in range(99999) %}{% do l.reverse() %}{% endfor %}",
        "{% set l = range(99999) | list %}{% for i in range(99999) %}{% do l.sort() %}{% endfor %}",
        "{% set l = range(99999) | list %}{% for i in range(99999) %}{% if l.copy() %}{% endif %}{% endfor %}",
        "{% set l = range(99999) | list %}{% for i in range(99999) %}{% do l.insert(0, i) %}{% do l.pop(0) %}{% endfor %}",
        "{{ '%(a)10000000000d' % {'a': 1} }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}select 1 as a_long_text_of_sql{% endfor %}{% endfor %}",
    ] {
        let said = on_a_small_stack(|| sql(&[], text));
        assert!(said.starts_with("problem: "), "{text}: {said:.200}");
    }
}

#[test]
fn values_that_hold_each_other_many_times_are_a_problem_at_the_place_where_they_are_shown() {
    // Deep enough to be endless, and less deep than values may lie in each other.
    let doubled = |values: &str, shown: &str| {
        format!(
            "{{% set ns = namespace(x=[1], s='') %}}{{% for i in range(55) %}}{{% set ns.x = {values} %}}{{% endfor %}}\n{shown}"
        )
    };
    for values in
        ["[ns.x, ns.x]", "{'a': ns.x, 'b': ns.x}", "[[ns.x], {'a': ns.x}]", "[[ns.x, 'long' * 99], ns.x]"]
    {
        for shown in [
            "{{ ns.x }}",
            "{{ ns }}",
            "{{ ns.x ~ '' }}",
            "{{ ns.x | string }}",
            "{{ ns.x | tojson }}",
            "{{ tojson(ns.x) }}",
            "{{ [ns.x, 1] | join(',') }}",
            "{% do log(ns.x, info=true) %}",
            "{% do print(ns) %}",
            "{% do exceptions.warn(ns.x) %}",
            "{{ exceptions.raise_compiler_error(ns.x) }}",
            "{{ exceptions.raise_compiler_error('x' ~ ns.x) }}",
            "{{ config(meta=ns.x) }}",
            "{{ ref(ns.x) }}",
            "{{ var(ns.x) }}",
            "{{ ns.x.pop(ns.x) }}",
            "{{ '%s' % ns.x }}",
            "{{ '{}'.format(ns.x) }}",
            "{% set ns.s = ns.x ~ '' %}",
            "{% set s, t = ns.x ~ '', 1 %}",
            "{{ ns.x | pprint }}",
            "{{ ns.x | unique | list }}",
        ]
        .into_iter()
        .take(if values == "[ns.x, ns.x]" { usize::MAX } else { 2 })
        {
            let text = doubled(values, shown);
            let said = on_a_small_stack(move || sql(&[], &text));
            assert!(
                said.starts_with("problem: ") && said.contains("at: models/m.sql:2:"),
                "{values} {shown}: {said:.300}"
            );
        }
    }
    for text in [
        doubled("(ns.x, ns.x)", "{{ ns.x }}"),
        format!("{}{{{{ a }}}}", "{% set a, b = (a, a, 1), 1 %}".repeat(90)),
        "{% macro f(x, n) %}{% if n %}{{ f([x, x], n - 1) }}{% else %}{{ x ~ '' }}{% endif %}{% endmacro %}{{ f(1, 90) }}".to_owned(),
        "{% macro f(x, n) %}{% if n %}{{ f((x, x), n - 1) }}{% else %}{{ x ~ '' }}{% endif %}{% endmacro %}{{ f(1, 90) }}".to_owned(),
        "{% macro f(n) %}{% if n %}{% with x = f(n - 1) %}{{ return((x, x)) }}{% endwith %}{% else %}{{ return((1, 2)) }}{% endif %}{% endmacro %}{{ f(60) ~ '' }}".to_owned(),
        format!("{{% set x = (1, 2) %}}{}{{{{ x ~ '' }}}}{}", "{% for x in ((x, x),) %}".repeat(30), "{% endfor %}".repeat(30)),
        doubled("[ns.x, ns.x]", "{% set y = [1] %}{% for i in range(90) %}{% set ns.s = [y, y] %}{% endfor %}{{ 1 if ns.x == ns.x[0] else 2 }}{{ ns.x | map('string') | list }}"),
    ] {
        let said = on_a_small_stack(move || sql(&[], &text));
        assert!(said.starts_with("problem: "), "{said:.300}");
    }
}

#[test]
fn what_can_change_is_no_key_of_a_mapping() {
    let nested = "{% set ns = namespace(d={'z': 1}) %}{% for i in range(90) %}{% set ns.d = {'a': ns.d, 'b': ns.d} %}{% endfor %}{% set y = {'k': 1, 'l': 2} %}\n";
    for (used, message) in [
        ("{{ y.pop(ns.d) }}", "a mapping cannot be the key of a mapping"),
        ("{{ {ns.d: 1} }}", "a mapping cannot be the key of a mapping"),
        ("{{ {'k': 1, ns.d: 1}.k }}", "a mapping cannot be the key of a mapping"),
        ("{{ {(1, ns.d): 1} }}", "cannot be the key of a mapping"),
        ("{{ y.setdefault(ns.d, 1) }}", "a mapping cannot be the key of a mapping"),
        ("{{ dict([[ns.d, 1]]) }}", "a mapping cannot be the key of a mapping"),
        ("{% do y.update([(ns.d, 1)]) %}", "a mapping cannot be the key of a mapping"),
        ("{{ {[1, 2]: 1} }}", "a list cannot be the key of a mapping"),
        ("{{ y[ns.d] }}", "is not defined"),
    ] {
        let text = format!("{nested}{used}");
        let began = std::time::Instant::now();
        let said = on_a_small_stack(move || sql(&[], &text));
        assert!(said.starts_with("problem: ") && said.contains(message), "{used}: {said:.300}");
        assert!(said.contains("at: models/m.sql:2:"), "{used}: {said:.300}");
        assert!(began.elapsed().as_secs() < 5, "{used}");
    }
    assert_eq!(
        sql(
            &[],
            "{% set k = 'b' %}{% set d = {'a': 1, k: 2, k ~ 1: {k: 3}, (1, 2): 4, 5: [k][0]} %}{{ d.b }} {{ d.b1.b }} {{ d[(1, 2)] }} {{ d[5] }} {{ [1] in d }}"
        ),
        "2 3 4 b False"
    );
}

#[test]
fn what_people_hold_in_namespaces_is_as_before() {
    let said = |text: &'static str| on_a_small_stack(move || sql(&[], text));
    assert_eq!(
        said(
            "{% set ns = namespace(a=1, b=[1]) %}{% do ns.b.append(2) %}{% set ns.c = ns.b %}{{ ns.c }}{{ ns.a }}"
        ),
        "[1, 2]1"
    );
    assert_eq!(said("{% set ns = namespace({'a': 1}) %}{% set ns.a, b = 3, [4] %}{{ ns.a }}{{ b }}"), "3[4]");
    assert_eq!(
        said(
            "{% set a, b = [1, 2] %}{% set ns = namespace() %}{% set ns.x %}t{{ a }}{% endset %}{{ ns.x }}{{ b }}"
        ),
        "t12"
    );
    assert_eq!(
        said("{{ '%05d|%s|%.2f' % (42, 'x', 1.005) }}{{ '%(a)s' % {'a': 'b'} }}{{ '%s' % 'x' }}"),
        "00042|x|1.00bx"
    );
}

#[test]
fn tuples_are_as_before_where_they_are_taken_apart() {
    for (text, gives) in [
        ("{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}", "12"),
        ("{% for a, b in ((1, 2), (3, 4)) %}{{ a }}{{ b }}{% endfor %}", "1234"),
        ("{% set (a, b) = (1, 2) %}{{ a }}{{ b }}", "12"),
        ("{% set a, b = (1, 2) %}{{ a }}{{ b }}", "12"),
        ("{% with a = (1, 2), b = (3, 4) %}{{ a }}{{ b }}{% endwith %}", "(1, 2)(3, 4)"),
        (
            "{% macro m(a=(1, 2)) %}{{ a[1] }}{{ caller(3, 4) }}{% endmacro %}{% call(x, y) m() %}{{ x + y }}{% endcall %}",
            "27",
        ),
        (
            "{{ 1 in (1, 2) }}{{ (1, 2) == (1, 2) }}{{ ((1 + 2) * 3, 4)[0] }}{{ max(1, 2) if max else '' }}",
            "TrueTrue9",
        ),
        ("{{ '%s-%s' % (1, 2) }}{{ dict(a=(1, 2)).a }}", "1-2(1, 2)"),
    ] {
        let said = sql(&[], text);
        assert_eq!(said.trim(), gives, "{text}");
    }
}

#[test]
fn a_precision_of_a_million_is_no_panic() {
    for text in [
        "{{ '%.1000000f' % 1 }}",
        "{{ '%.1000000f' | format(1) }}",
        "{{ '{:.1000000f}'.format(1.5) }}",
        "{{ '%.1000000g' % 1.5 }}",
        "{{ '%*.*f' % (100000, 100000, 1) }}",
    ] {
        let said = on_a_small_stack(|| sql(&[], text));
        assert!(!said.is_empty() && !said.contains("panic"), "{text}: {said:.200}");
    }
}

#[test]
fn long_chains_and_deep_nests_are_problems_with_a_place() {
    let repeated = |before: &str, part: &str, after: &str, end: &str| {
        format!("{before}{}{after}{}", part.repeat(20_000), end.repeat(20_000))
    };
    for text in [
        repeated("{{ ", "1 + ", "1 }}", ""),
        repeated("{{ ", "not ", "1 }}", ""),
        repeated("{{ ", "- ", "1 }}", ""),
        repeated("{{ ", "(", "1", ")"),
        repeated("{{ ", "[", "1", "]"),
        repeated("{{ ", "{'a': ", "1", "}"),
        repeated("{{ x", " | upper", " }}", ""),
        repeated("{{ x", ".lower()", " }}", ""),
        repeated("{{ x", "[0]", " }}", ""),
        repeated("{{ ", "1 if a else ", "1 }}", ""),
        repeated("{{ ", "1 ~ ", "1 }}", ""),
        repeated("{{ ", "a and ", "1 }}", ""),
        repeated("{{ ", "1 < ", "1 }}", ""),
        repeated("{{ ", "2 ** ", "1 }}", ""),
        repeated("", "{% if true %}", "x", "{% endif %}"),
        repeated("", "{% for i in [1] %}", "x", "{% endfor %}"),
        repeated("{% if a %}", "{% elif b %}x", "{% endif %}", ""),
        repeated("{% set x = ", "f(", "1", ")"),
        repeated("{{ f(a=", "1 + ", "1) }}", ""),
    ] {
        let shown = text[..40].to_owned();
        let said = on_a_small_stack(move || sql(&[], &text));
        assert!(said.starts_with("problem: ") && said.contains("at: models/m.sql"), "{shown}: {said:.200}");
    }
    let sum = on_a_small_stack(|| sql(&[], &format!("{{{{ {}1 }}}}", "1 + ".repeat(1_900))));
    assert_eq!(sum, "1901");
}

#[test]
fn files_of_macros_that_load_each_other_end_with_a_problem() {
    for text in
        ["{% include 'macros/a.sql' %}", "{% extends 'macros/a.sql' %}", "{% import 'macros/a.sql' as a %}"]
    {
        let macros = format!("{{% macro m() %}}{text}{{% endmacro %}}{text}");
        on_a_small_stack(move || sql(&[("macros/a.sql", &macros)], &format!("{text}{{{{ m() }}}}")));
    }
}

/// Texts put together at random from parts that have a meaning.
#[test]
fn random_texts_never_bring_mep_down() {
    const PARTS: [&str; 44] = [
        "{{ ",
        " }}",
        "{% if ",
        " %}",
        "{% endif %}",
        "{% for i in ",
        "{% endfor %}",
        "{% set x = ",
        "{% set l = [] %}",
        "{% do l.append(",
        "l",
        ")",
        "(",
        "[",
        "]",
        "{",
        "}",
        "'a'",
        "\"b",
        "1",
        "99999999999999999999",
        "0.1e400",
        " + ",
        " * ",
        " ~ ",
        " % ",
        " // 0",
        " ** ",
        " | ",
        "list",
        "join",
        "tojson",
        "sort",
        "indent(9)",
        "batch(0)",
        "range(9)",
        ", ",
        ": ",
        ".",
        "ref('a')",
        "config(a=1)",
        "var('country')",
        "é",
        "loop",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % most as u64).unwrap()
    };
    for _ in 0..3_000 {
        let text: String = (0..next(24)).map(|_| PARTS[next(PARTS.len())]).collect();
        on_a_small_stack(move || sql(&[], &text));
    }
}

#[test]
fn what_is_no_value_is_not_printed() {
    let said: Vec<String> = [
        "graph",
        "selected_resources",
        "adapter",
        "exceptions",
        "modules",
        "ref",
        "config",
        "run_query",
        "dbt_utils",
        "ok",
        "graph ~ ''",
        "1 if graph else 2",
        "[graph] | tojson",
    ]
    .iter()
    .map(|name| {
        let text = format!("select {{{{ {name} }}}}");
        sql(&[("macros/a.sql", "{% macro ok() %}{% endmacro %}")], &text)
    })
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn deep_nesting_ends_with_a_problem() {
    let said = on_a_small_stack(|| sql(&[], &format!("{{{{ {}1{} }}}}", "[".repeat(3000), "]".repeat(3000))));
    assert!(said.starts_with("problem: the Jinja nests too deep here"), "{said}");
}

#[test]
fn broken_tags_are_problems_and_not_panics() {
    for text in [
        "{{",
        "{%",
        "{#",
        "{{ '",
        "{{ [ }}",
        "{{ ] }}",
        "{% raw %}{{",
        "{% set %}",
        "{% set x = %}",
        "{% set x = , %}",
        "{% macro %}",
        "{% macro m %}",
        "{{ {'a' }}",
        "{% set [a, b] = [1, 2] %}{{ a }",
        "{{ '\\",
        "{% endmacro %}",
        "{{ é",
        "{{ ref(",
        "{{ config(a= }}",
        "{{ - modules.datetime.timedelta( }}",
        "{%- -%}",
        "{{ ~ }}",
        "{{ modules }}",
    ] {
        sql(&[("macros/a.sql", "{% macro ok() %}{% endmacro %}")], text);
        let macros = [("macros/a.sql", text)];
        let _ = Templates::new(&project(&macros), invocation());
    }
}

#[test]
fn templates_are_used_from_several_threads() {
    const fn shared<T: Send + Sync>() {}
    const { shared::<Templates>() };
}
