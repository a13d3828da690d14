//! Jinja as Jinja2 has it: what each text renders to by Jinja2 3.1.

use super::sql;

#[track_caller]
fn renders(cases: &[(&str, &str)]) {
    let differing: Vec<String> = cases
        .iter()
        .map(|(text, expected)| (text, expected, sql(&[], text)))
        .filter(|(_, expected, found)| found != **expected)
        .map(|(text, expected, found)| format!("{text}\n  expected: {expected}\n     found: {found}"))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn values_print_as_python_prints_them() {
    renders(&[
        ("{{ true }} {{ False }} {{ none }} {{ None }}", "True False None None"),
        ("{{ 1 == 1 }} {{ 'c' in ['c'] }} {{ 'x' not in 'abc' }}", "True True True"),
        ("{{ true ~ '-' ~ none ~ 1.0 }}", "True-None1.0"),
        (
            "{{ [1, 'a', true, none, 1.5] }} {{ {'a': [1]} }} {{ (1, 'b') }} {{ (1,) }}",
            "[1, 'a', True, None, 1.5] {'a': [1]} (1, 'b') (1,)",
        ),
        (r#"{{ "it's" }} {{ ["it's", 'b"c'] }}"#, r#"it's ["it's", 'b"c']"#),
        (
            "{{ [true, none] | join(',') }} {{ true | string }} {{ none | string | upper }}",
            "True,None True NONE",
        ),
        (
            "{{ 7 / 2 }} {{ 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 2 ** -1 }}",
            "3.5 2.0 3 -4 2 1024 0.5",
        ),
        (
            "{{ 0.1 + 0.2 }} {{ 1e3 }} {{ 10000000000000000000000 }} {{ 1_000 }}",
            "0.30000000000000004 1000.0 10000000000000000000000 1000",
        ),
        (
            "{{ 1 + true }} {{ 'a' * 3 }} {{ [1] * 2 }} {{ [1] + [2] }} {{ (1, 2) + (3,) }}",
            "2 aaa [1, 1] [1, 2] (1, 2, 3)",
        ),
        ("{{ [] }}{{ {} }}{{ '' }}{{ () }}", "[]{}()"),
    ]);
}

#[test]
fn lists_and_mappings_can_change() {
    renders(&[
        (
            "{% set l = [] %}{% for i in range(3) %}{% do l.append(i) %}{% endfor %}{{ l }} {{ l | length }}",
            "[0, 1, 2] 3",
        ),
        ("{% set l = [1] %}{{ l.append(2) }} {{ l }}", "None [1, 2]"),
        (
            "{% set l = [3, 1, 2] %}{% do l.sort() %}{{ l }}{% do l.reverse() %}{{ l }} {{ l.pop() }} {{ l.pop(0) }} {{ l }} {{ l.index(2) }}",
            "[1, 2, 3][3, 2, 1] 1 3 [2] 0",
        ),
        (
            "{% set l = ['a', 'b'] %}{% do l.extend(['c']) %}{% do l.insert(0, 'z') %}{% do l.remove('b') %}{{ l }} {{ l.count('a') }} {{ l[-1] }} {{ l[1:] }}",
            "['z', 'a', 'c'] 1 c ['a', 'c']",
        ),
        (
            "{% set d = {'a': 1} %}{% do d.update({'b': 2}) %}{% do d.update(c=3) %}{% for k, v in d.items() %}{{ k }}{{ v }} {% endfor %}{{ d }}",
            "a1 b2 c3 {'a': 1, 'b': 2, 'c': 3}",
        ),
        (
            "{% set d = dict(a=1) %}{% do d.setdefault('b', []).append(2) %}{{ d }} {{ d.pop('a') }} {{ d.pop('z', 9) }} {{ d.get('b') }} {{ d.get('x') }} {{ d.get('x', 4) }}",
            "{'a': 1, 'b': [2]} 1 9 [2] None 4",
        ),
        ("{% set a = [1] %}{% set b = a %}{% do b.append(2) %}{{ a }}", "[1, 2]"),
        (
            "{% set a = [1] %}{% set b = a.copy() %}{% do b.append(2) %}{{ a }}{% do b.clear() %}{{ b }}",
            "[1][]",
        ),
        (
            "{% set d = {'rows': []} %}{% do d['rows'].append(1) %}{% do d.rows.append(2) %}{{ d.rows }}",
            "[1, 2]",
        ),
        (
            "{% set l = [1, 2, 3] | list %}{% do l.append(4) %}{{ l }}{% set m = l | map('string') | list %}{% do m.append('x') %}{{ m }}",
            "[1, 2, 3, 4]['1', '2', '3', '4', 'x']",
        ),
        (
            "{% set l = 'a,b'.split(',') %}{% do l.append('c') %}{{ l }}{% set r = [1] + [2] %}{% do r.append(3) %}{{ r }}",
            "['a', 'b', 'c'][1, 2, 3]",
        ),
        ("{% for x in [[1], [2]] %}{% do x.append(9) %}{{ x }}{% endfor %}", "[1, 9][2, 9]"),
        ("{% set l = [] %}{% set _ = l.append('x') %}{{ l }}", "['x']"),
        (
            "{% set ns = namespace(rows=[]) %}{% for i in range(2) %}{% set ns.rows = ns.rows + [i] %}{% do ns.rows.append('+') %}{% endfor %}{{ ns.rows }}",
            "[0, '+', 1, '+']",
        ),
        (
            "{% set d = {} %}{% for k in ['a', 'b'] %}{% do d.update({k: loop.index}) %}{% endfor %}{{ d.keys() | list }} {{ d.values() | list }} {{ 'a' in d }} {{ d['b'] }}",
            "['a', 'b'] [1, 2] True 2",
        ),
        (
            "{% set a, b = [1, 2] %}{{ a }}{{ b }}{% set c, d = 3, 4 %}{{ c }}{{ d }}{% set e = 5, 6 %}{{ e }}",
            "1234(5, 6)",
        ),
        (
            "{{ {'a': 1} == {'a': 1} }} {{ [1, [2]] == [1, [2]] }} {{ [1] == [2] }} {{ 1 in [1, 2] }} {{ [1, 2] > [1] }}",
            "True True False True True",
        ),
        (
            "{{ {'a': {'b': {'c': 1}}}.a.b.c }} {{ {'a': {'b': 2}}['a']['b'] }} {{ [[1, 2], [3]][0][1] }}",
            "1 2 2",
        ),
        (
            "{% if [] %}full{% else %}empty{% endif %} {% if {} %}full{% else %}empty{% endif %} {% if [0] %}full{% endif %}",
            "empty empty full",
        ),
    ]);
}

#[test]
fn tests_and_conditions() {
    renders(&[
        (
            "{% set x = nothing %}{{ x is defined }} {{ [nothing] | length }} {% if nothing %}a{% else %}b{% endif %} {{ nothing | default([]) }} {{ nothing is none }}",
            "False 1 b [] False",
        ),
        (
            "{{ none is none }} {{ 1 is not none }} {{ x is defined }} {{ x is undefined }} {{ 'a' is string }} {{ 1 is number }} {{ 1.5 is float }} {{ 1 is integer }} {{ true is boolean }}",
            "True True False True True True True True True",
        ),
        (
            "{{ [1] is sequence }} {{ {} is mapping }} {{ [] is mapping }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ [1] is iterable }}",
            "True True False True False True",
        ),
        (
            "{{ 4 is divisibleby 2 }} {{ 3 is odd }} {{ 3 is even }} {{ 'A' is upper }} {{ 1 is in [1, 2] }} {{ 1 is eq 1 }}",
            "True True False True True True",
        ),
        (
            "{{ 'y' if 1 > 0 else 'n' }} {{ 'y' if false }}| {{ 1 if x is defined else 2 }} {{ x | default('d') }} {{ '' | default('e', true) }}",
            "y | 2 d e",
        ),
        (
            "{{ 1 < 2 < 3 }} {{ not true }} {{ 1 and 0 }} {{ 0 or 'x' }} {{ none or [] }} {{ 1 != 2 and not 3 == 4 }}",
            "True False 0 x [] True",
        ),
        ("{% if x %}a{% elif not y %}b{% else %}c{% endif %}", "b"),
    ]);
}

#[test]
fn loops() {
    renders(&[
        (
            "{% for x in [1, 2] %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }},{% endfor %}",
            "10TrueFalse22,21FalseTrue21,",
        ),
        ("{% for x in 'ab' %}{{ x }}{{ ',' if loop.first }}{% endfor %}", "a,b"),
        ("{% for x in [] %}a{% else %}none{% endfor %}", "none"),
        ("{% for x in [1, 2, 3, 4] if x is even %}{{ loop.index }}:{{ x }} {% endfor %}", "1:2 2:4 "),
        ("{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }} {% endfor %}", "12 34 "),
        (
            "{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}",
            "a1a",
        ),
        (
            "{% for x in [1, 2, 3] %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x // 2) }} {% endfor %}",
            "aTrue bTrue aFalse ",
        ),
        (
            "{% for x in range(5) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}",
            "02",
        ),
        (
            "{% for x in [1, 2] %}{% for y in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}",
            "121 122 ",
        ),
        (
            "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}{% if true %}{% set x = 3 %}{% endif %}{{ x }}",
            "13",
        ),
        (
            "{% set ns = namespace(n=0, l='a') %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{{ ns.l }}",
            "3a",
        ),
        ("{% for i in range(10, 0, -3) %}{{ i }} {% endfor %}{{ range(3) | list }}", "10 7 4 1 [0, 1, 2]"),
        (
            "{% for x in [{'c': [{'c': []}]}] recursive %}({{ loop.depth }}{{ loop(x.c) }}){% endfor %}",
            "(1(2))",
        ),
    ]);
}

#[test]
fn every_loop_knows_its_last_item() {
    renders(&[
        (
            "{% for x in [1, 2, 3] | select('odd') %}{{ x }}{{ ',' if not loop.last }}{% endfor %} {% for x in [1, 2, 3] | reject('odd') %}{{ x }}{{ ',' if not loop.last }}{% endfor %}",
            "1,3 2",
        ),
        (
            "{% for x in [1, 2] | map('string') %}{{ x }}{{ ',' if not loop.last }}{% endfor %} {% for x in [{'a': 1}] | selectattr('a') %}{{ x }}{{ ',' if not loop.last }}{% endfor %}",
            "1,2 {'a': 1}",
        ),
        (
            "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ ',' if not loop.last }}{% endfor %} {% for k in {'a': 1, 'b': 2}.keys() %}{{ k }}{{ ',' if not loop.last }}{% endfor %} {% for k in {'a': 1, 'b': 2}.values() %}{{ k }}{{ ',' if not loop.last }}{% endfor %} {% for k in {'a': 1} %}{{ k }}{{ loop.last }}{% endfor %}",
            "a,b a,b 1,2 aTrue",
        ),
        (
            "{% for x in 'a,b'.split(',') %}{{ x }}{{ ',' if not loop.last }}{% endfor %} {% for x in [1, 1, 2] | unique %}{{ x }}{{ ',' if not loop.last }}{% endfor %} {% for x in [1, 2] | reverse %}{{ x }}{{ ',' if not loop.last }}{% endfor %}",
            "a,b 1,2 2,1",
        ),
        (
            "{% for x in [1, 2, 3][1:] %}{{ x }}{{ ',' if not loop.last }}{% endfor %} {% for x in [1] + [2] %}{{ x }}{{ ',' if not loop.last }}{% endfor %} {% for x in range(2) %}{{ x }}{{ ',' if not loop.last }}{% endfor %}",
            "2,3 1,2 0,1",
        ),
        (
            "{% for x in [1, 2, 3] | select('odd') if x > 1 %}{{ x }}{{ loop.last }}{{ loop.length }}{% endfor %} {% for x, y in [(1, 2)] | list %}{{ y }}{{ loop.last }}{% endfor %} {% for x in [[1], [[2]]] recursive %}{{ loop(x) if x is not number else x }}{{ loop.last }}{% endfor %}",
            "3True1 2True 1TrueFalse2TrueTrueTrue",
        ),
    ]);
}

#[test]
fn text() {
    renders(&[
        (
            "{{ 'a-b'.split('-') }} {{ ' a '.strip() }}| {{ 'abc'.upper() }} {{ 'aXb'.replace('X', '-') }} {{ 'a'.startswith('a') }} {{ ','.join(['a', 'b']) }}",
            "['a', 'b'] a| ABC a-b True a,b",
        ),
        (
            "{{ '{} {}'.format(1, 'a') }} {{ '{x:>4}|{0:03d}'.format(7, x='b') }} {{ '%s-%d' % ('a', 3) }} {{ '%05.2f' | format(1.5) }}",
            "1 a    b|007 a-3 01.50",
        ),
        (
            "{{ 'hello world'.title() }} {{ 'abc'.capitalize() }} {{ 'a,b,c'.split(',', 1) }} {{ 'abc'.find('c') }} {{ 'aab'.count('a') }} {{ '12'.isdigit() }} {{ 'A'.lower() }}",
            "Hello World Abc ['a', 'b,c'] 2 2 True a",
        ),
        (
            "{{ 'abc'[0] }}{{ 'abc'[-1] }} {{ 'abc'[1:] }} {{ 'abc'[::-1] }} {{ 'abc' | length }} {{ 'é' | length }}",
            "ac bc cba 3 1",
        ),
        (
            r#"{{ 'a' 'b' }} {{ 'a' ~ 1 ~ 'b' }} {{ 'x' + 'y' }} {{ 'a\nb' }} {{ 'a\'b' }} {{ "a\tb" }}"#,
            "ab a1b xy a\nb a'b a\tb",
        ),
        (
            "{{ 'a\nb' | indent }}|{{ 'a\nb' | indent(2) }}|{{ 'a\n\nb' | indent(2, true) }}|{{ 'a\nb' | indent(width=1, first=True) }}",
            "a\n    b|a\n  b|  a\n\n  b| a\n b",
        ),
        (
            "{{ 'a long text here' | truncate(10) }}|{{ 'a long text here' | truncate(10, true) }}|{{ 'a long text here' | truncate(10, true, '') }}|{{ 'a long text here' | truncate(length=9, end='!') }}",
            "a long...|a long ...|a long tex|a long!",
        ),
        (
            "{{ 'ab' | center(6) }}| {{ 'x' | upper }} {{ 'X' | lower }} {{ 'ab cd' | title }} {{ ' x ' | trim }} {{ 'aab' | replace('a', 'b', 1) }}",
            "  ab  | X x Ab Cd x bab",
        ),
        (
            "{{ 'abc' | first }} {{ 'abc' | last }} {{ 'abc' | reverse }} {{ 'abc' | list }} {{ '3' | int + 1 }} {{ '3.5' | float }} {{ 'x' | int(7) }}",
            "a c cba ['a', 'b', 'c'] 4 3.5 7",
        ),
        (
            "{{ 'a'.ljust(3) }}| {{ 'a'.rjust(3) }}| {{ 'a'.zfill(3) }} {{ 'a.b'.partition('.') }} {{ 'a b'.rsplit(' ', 1) }} {{ 'Ab'.swapcase() }} {{ 'ab'.removeprefix('a') }}",
            "a  |   a| 00a ('a', '.', 'b') ['a', 'b'] aB b",
        ),
    ]);
}

#[test]
fn filters_of_collections() {
    renders(&[
        (
            "{{ [3, 1, 2] | sort }} {{ [3, 1, 2] | sort(reverse=true) }} {{ ['b', 'A'] | sort }} {{ [{'a': 2}, {'a': 1}] | sort(attribute='a') }}",
            "[1, 2, 3] [3, 2, 1] ['A', 'b'] [{'a': 1}, {'a': 2}]",
        ),
        (
            "{{ [1, 2] | map('string') | list }} {{ [{'a': 1}, {'a': 2}] | map(attribute='a') | join(',') }} {{ ['a'] | map('upper') | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }}",
            "['1', '2'] 1,2 ['A'] [1]",
        ),
        (
            "{{ [{'a': 1}, {'a': 2}] | selectattr('a', 'equalto', 2) | list }} {{ [{'a': 1}, {'a': none}] | rejectattr('a') | list }} {{ [1, 2, 3] | select('odd') | list }} {{ [1, 2, 3] | reject('>', 1) | list }} {{ [0, 1] | select | list }}",
            "[{'a': 2}] [{'a': None}] [1, 3] [1] [1]",
        ),
        (
            "{{ [1, 1, 2] | unique | list }} {{ [1, 2] | sum }} {{ [1, 2] | min }} {{ [1, 2] | max }} {{ [1, 2] | first }} {{ [1, 2] | last }} {{ [1, 2] | reverse | list }} {{ [1, 2] | length }} {{ [1, 2] | count }}",
            "[1, 2] 3 1 2 1 2 [2, 1] 2 2",
        ),
        (
            "{{ [1, 2, 3] | batch(2) | list }} {{ [1, 2, 3] | slice(2) | list }} {{ {'b': 1, 'a': 2} | dictsort }} {{ {'a': 1} | items | list }}",
            "[[1, 2], [3]] [[1, 2], [3]] [('a', 2), ('b', 1)] [('a', 1)]",
        ),
        (
            "{{ [{'k': 'x', 'v': 1}, {'k': 'x', 'v': 2}] | groupby('k') | length }} {% for k, rows in [{'k': 'x', 'v': 1}] | groupby('k') %}{{ k }}{{ rows | map(attribute='v') | list }}{% endfor %}",
            "1 x[1]",
        ),
        (
            "{{ [1, 'a', none, true] | tojson }} {{ {'a': 1} | tojson }} {{ [1.25, 2.5] | map('round', 1) | list }} {{ 2.5 | round }} {{ -1 | abs }} {{ 1.7 | int }}",
            r#"[1, "a", null, true] {"a": 1} [1.2, 2.5] 2.0 1 1"#,
        ),
        (
            "{{ ['a', 'b'] | join(', ') | upper }} {{ [['a', 1]] | map('first') | join }} {{ [1, 2] | join }} {{ [{'a': 1}] | join(',', attribute='a') }}",
            "A, B a 12 1",
        ),
        (
            "{{ (1, 2) | list }} {{ {'a': 1} | list }} {{ 'ab' | map('upper') | list }} {{ [1, 2, 3][1:] | list }} {{ [[1, 2], [3]] | sum(start=[]) }}",
            "[1, 2] ['a'] ['A', 'B'] [2, 3] [1, 2, 3]",
        ),
    ]);
}

#[test]
fn blocks() {
    renders(&[
        ("a{# a comment with {{ tags }} and [ brackets #}b", "ab"),
        (
            "{% raw %}{{ [x] }} {% set x = [] %}{% endraw %} {% raw -%}  x  {%- endraw %}",
            "{{ [x] }} {% set x = [] %} x",
        ),
        ("a  {%- if true -%}  b  {%- endif -%}  c", "abc"),
        ("a\n{% if true %}\nb\n{% endif %}\nc\n", "a\n\nb\n\nc"),
        ("a\n  {%- set x = 1 %}\nb\n{{- x -}}\n c {{ x }} d", "a\nb1c 1 d"),
        ("{% set x %}a{{ 1 }}b{% endset %}{{ x }} {% set y | upper %}abc{% endset %}{{ y }}", "a1b ABC"),
        ("{% filter upper %}abc{% endfilter %} {% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}", "ABC 12"),
        (
            "{% macro m(a, b='x', c=none) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c=2) }} {{ m(b=3, a=1) }} {{ m(1, 2, 3) | upper }}",
            "1xNone 1x2 13None 123",
        ),
        ("{% macro m() %}<{{ caller('x') }}>{% endmacro %}{% call(v) m() %}{{ v }}{% endcall %}", "<x>"),
        ("{% macro m(l=[]) %}{% do l.append(1) %}{{ l }}{% endmacro %}{{ m() }}", "[1]"),
        (
            "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }} {% set j = joiner(', ') %}{{ j() }}a{{ j() }}b",
            "aba a, b",
        ),
        ("{%- for x in [1, 2] -%}\n  {{ x }}\n{%- endfor -%}", "12"),
        (
            "{%- set l = ['a', 'b'] -%}\nselect\n{%- for c in l %}\n  {{ c }}{{ ',' if not loop.last }}\n{%- endfor %}\nfrom t",
            "select\n  a,\n  b\nfrom t",
        ),
        (
            r#"{{ '{{ not a tag }}' }} {{ '%}' }} {{ "}}" }} {{ {'a': {'b': 1}} }}"#,
            "{{ not a tag }} %} }} {'a': {'b': 1}}",
        ),
        (
            "{% set f = 'a' %}{{ {f: 1, 'b': f} }} {{ {'x': [1, {'y': (2, 3)}]}['x'][1]['y'][0] }}",
            "{'a': 1, 'b': 'a'} 2",
        ),
    ]);
}

#[test]
fn operators_take_the_values_that_they_take_in_python() {
    renders(&[
        (
            r"{% set d = modules.datetime.timedelta(days=1, hours=2) %}{{ (run_started_at - d).strftime('%d %H') }} {{ d + d }} {{ (d + run_started_at).isoformat()[:10] }}",
            r"01 23 2 days, 4:00:00 2018-11-04",
        ),
        (
            r"{% set a = run_started_at.date() %}{% set b = a - modules.datetime.timedelta(10) %}{{ a - b }} {{ (a - b).days }} {{ a > b }} {{ b - a }} {{ (b - a).days }} {{ (b-a).total_seconds() }}",
            r"10 days, 0:00:00 10 True -10 days, 0:00:00 -10 -864000.0",
        ),
        (
            r"{% set d = modules.datetime.timedelta(minutes=-1) %}{{ d.days }} {{ d.seconds }} {{ d }} {{ modules.datetime.timedelta(seconds=1.5) }} {{ modules.datetime.timedelta(2) }}",
            r"-1 86340 -1 day, 23:59:00 0:00:01.500000 2 days, 0:00:00",
        ),
        (
            r"{% set f = '%s-%03d' %}{{ f % ('a', 7) }} {{ '%s' % [1] }} {% set v = 3 %}{{ 'n=%d' % v }} {{ f ~ '%d' % v }} {{ 10 % 4 * 2 }} {{ v % 2 }} {{ '%.1f%%' % 12.34 }}",
            r"a-007 [1] n=3 %s-%03d3 4 1 12.3%",
        ),
        (
            r"{% set a, b, c = 5, 2, 9 %}{{ a - b - c }} {{ a - b * c }} {{ -a - -b }} {{ (a - b) % c }} {{ a + b - c + 1 }} {{ [a - b, a + b] }} {{ {'k': a - b}['k'] }} {{ 'xyz'[a - b - 1:] }}",
            r"-6 -13 -3 3 -1 [3, 7] 3 z",
        ),
        (
            r"{% set l = [1] %}{% set m = l + [2] %}{{ m }} {{ l + m }} {{ 'a' + 'b' }} {% set x = 'a' %}{{ x + x }} {{ (1,) + (x,) }} {{ 1 - 2.5 }} {% set y = 0.5 %}{{ y - y }} {{ true + true }} {% set t = true %}{{ t + t }} {{ t - 3 }}",
            r"[1, 2] [1, 1, 2] ab aa (1, 'a') -1.5 0.0 2 2 -2",
        ),
        (
            r"{% for i in range(3) if i - 1 %}{{ loop.index - i }}{{ ', ' if not loop.last }}{% endfor %} {% set a = 3 %}{{ 'odd' if a % 2 else 'even' }} {{ a - 1 is odd }} {{ not a - 3 }} {{ a - 1 in [2] }} {{ a - 1 == 2 and a + 1 > 3 }}",
            r"1, 0 odd 2 True True True",
        ),
        (
            r"{% macro back(from, days=2 - 1) %}{{ from - modules.datetime.timedelta(days=days) }}{% endmacro %}{{ back(run_started_at.date()) }} {{ back(run_started_at.date(), days=3 - 1) }}",
            r"2018-11-02 2018-11-01",
        ),
    ]);
}
