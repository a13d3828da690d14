"""Fills in what each text of a file renders to: by Jinja2 as dbt-core sets it up, or in a model of a dbt project.

Usage: oracle.py plain|dbt FILE. Prints the file with expectations as they are. Needs dbt-core and dbt-duckdb.
"""

import contextlib
import io
import os
import re
import sys
import tempfile

PROJECT = {
    "dbt_project.yml": """
name: shop
version: '1.0'
profile: shop
vars:
  country: SE
  countries: [SE, DK]
  nested: {a: 1, b: [x, y]}
  nothing:
""",
    "profiles.yml": """
shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: ':memory:', schema: music, threads: 2}
""",
    "models/m.sql": "select 1 as id from {{ ref('a') }}, {{ source('e', 't') }}",
    "models/a.sql": "select 1 as id",
    "models/sources.yml": "{version: 2, sources: [{name: e, schema: music, tables: [{name: t, identifier: raw_t}]}]}",
    "macros/given.sql": """
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
""",
}


def cases(text):
    """The lines of a file: what is between cases as text, and each case as the lines of its input."""
    found, inside = [], None
    for line in text.splitlines():
        if line.startswith(">>> "):
            inside = [line[4:]]
            found.append(("case", inside))
        elif line.startswith("... ") and inside is not None and isinstance(inside, list):
            inside.append(line[4:])
        elif line.startswith("== ") or line.startswith("-- "):
            inside = None
            found.append(("text", line))
        else:
            inside = None if inside is None else ()
    return found


def plain(text):
    # dbt's own environment renames macros, so that those of a text are not found in it.
    from dbt_common.clients.jinja import TEXT_FILTERS
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
    environment.filters.update(TEXT_FILTERS)
    return environment.from_string(text).render({})


def project():
    folder = tempfile.mkdtemp()
    for path, text in PROJECT.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "w") as file:
            file.write(text)
    from dbt.cli.main import dbtRunner

    with contextlib.redirect_stdout(io.StringIO()):
        parsed = dbtRunner().invoke(["parse", "--project-dir", folder, "--profiles-dir", folder, "--no-partial-parse"])
    if not parsed.success:
        raise SystemExit(parsed.exception or parsed.result)
    return folder, parsed.result


def in_project():
    import datetime

    import pytz
    from dbt.adapters.factory import get_adapter, register_adapter, reset_adapters
    from dbt.config.runtime import RuntimeConfig
    from dbt.context.providers import generate_runtime_model_context
    from dbt.mp_context import get_mp_context

    folder, manifest = project()
    arguments = type("Arguments", (), {})()
    arguments.project_dir = arguments.profiles_dir = folder
    arguments.profile = arguments.target = arguments.threads = None
    arguments.vars = {}
    config = RuntimeConfig.from_args(arguments)
    reset_adapters()
    register_adapter(config, get_mp_context())
    get_adapter(config).set_macro_resolver(manifest)
    from dbt.context.providers import generate_runtime_macro_context

    get_adapter(config).set_macro_context_generator(generate_runtime_macro_context)

    get_adapter(config).connections.set_connection_name("oracle")

    def rendered(text):
        node = manifest.nodes["model.shop.m"]
        context = generate_runtime_model_context(node, config, manifest)
        moment = datetime.datetime(2018, 11, 3, 1, 2, 3, tzinfo=pytz.UTC)
        context["run_started_at"] = moment
        from dbt_common.clients.jinja import get_template, render_template

        with contextlib.redirect_stdout(io.StringIO()):
            found = render_template(get_template(text, context, node), context, node)
        return found

    return rendered


def main(kind, path):
    with open(path, encoding="utf-8") as file:
        found = cases(file.read())
    render = plain if kind == "plain" else in_project()
    out = []
    for what, content in found:
        if what == "text":
            out.append(content)
            continue
        text = "\n".join(content)
        out.extend((">>> " if at == 0 else "... ") + line for at, line in enumerate(content))
        try:
            expected = render(text)
            # A relation of mep has a schema and no database.
            expected = re.sub(r'"memory"\."(\w+)"\."(\w+)"', r"\1.\2", expected)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what Jinja2 says
            said = [line.strip() for line in str(error).strip().splitlines() if "Error in model" not in line]
            expected = f"!!! {said[0] if said else type(error).__name__}"
        out.append(expected.replace("\r", "\\r"))
    print("\n".join(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
