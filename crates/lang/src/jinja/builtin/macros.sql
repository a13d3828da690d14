{% test unique(model, column_name) %}
{{- adapter.dispatch('test_unique', 'dbt')(model, column_name) -}}
{% endtest %}

{% macro default__test_unique(model, column_name) -%}
select {{ column_name }} as unique_field, count(*) as n_records
from {{ model }}
where {{ column_name }} is not null
group by {{ column_name }}
having count(*) > 1
{%- endmacro %}

{% test not_null(model, column_name) %}
{{- adapter.dispatch('test_not_null', 'dbt')(model, column_name) -}}
{% endtest %}

{% macro default__test_not_null(model, column_name) -%}
select {{ column_name }}
from {{ model }}
where {{ column_name }} is null
{%- endmacro %}

{% test accepted_values(model, column_name, values, quote=true) %}
{{- adapter.dispatch('test_accepted_values', 'dbt')(model, column_name, values, quote) -}}
{% endtest %}

{% macro default__test_accepted_values(model, column_name, values, quote=true) -%}
select {{ column_name }} as value_field, count(*) as n_records
from {{ model }}
where {{ column_name }} not in (
    {%- for value in values if value is not none -%}
    {%- if not quote %}{{ value }}
    {%- elif __mep_is_boolean %}cast('{{ (value ~ '')|replace("'", "''") }}' as boolean)
    {%- else %}'{{ (value ~ '')|replace("'", "''") }}'{% endif %}
    {%- if not loop.last %}, {% endif -%}
    {%- endfor -%}
)
group by {{ column_name }}
{%- endmacro %}

{% test relationships(model, column_name, to, field) %}
{{- adapter.dispatch('test_relationships', 'dbt')(model, column_name, to, field) -}}
{% endtest %}

{% macro default__test_relationships(model, column_name, to, field) -%}
select child.from_field
from (select {{ column_name }} as from_field from {{ model }} where {{ column_name }} is not null) as child
left join (select {{ field }} as to_field from {{ to }}) as parent on child.from_field = parent.to_field
where parent.to_field is null
{%- endmacro %}

{% macro get_where_subquery(relation) -%}
{% do return(adapter.dispatch('get_where_subquery', 'dbt')(relation)) %}
{%- endmacro %}

{% macro default__get_where_subquery(relation) -%}
{%- set condition = config.get('where', '') -%}
{%- if condition -%}
{%- do return('(select * from ' ~ relation ~ ' where ' ~ condition ~ ') dbt_subquery') -%}
{%- endif -%}
{%- do return(relation) -%}
{%- endmacro %}

{% macro default__generate_schema_name(custom_schema_name=none, node=none) -%}
{{ target.schema }}{{ '_' ~ custom_schema_name | trim if custom_schema_name is not none }}
{%- endmacro %}

{% macro generate_schema_name_for_env(custom_schema_name, node) -%}
{{ custom_schema_name | trim if target.name == 'prod' and custom_schema_name is not none else target.schema }}
{%- endmacro %}

{% macro default__generate_alias_name(custom_alias_name=none, node=none) -%}
{{ custom_alias_name | trim if custom_alias_name else node.name }}
{%- endmacro %}

{% macro should_store_failures() -%}
{{ return(false) }}
{%- endmacro %}

{% macro load_cached_relation(relation) -%}
{% do return(adapter.get_relation(relation.database, relation.schema, relation.identifier)) %}
{%- endmacro %}

{% macro load_relation(relation) -%}
{% do return(load_cached_relation(relation)) %}
{%- endmacro %}

{% macro generate_schema_name(custom_schema_name=none, node=none) -%}
{% do return(adapter.dispatch('generate_schema_name', 'dbt')(custom_schema_name, node)) %}
{%- endmacro %}

{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
{% do return(adapter.dispatch('generate_alias_name', 'dbt')(custom_alias_name, node)) %}
{%- endmacro %}

{% macro register_upstream_external_models() -%}
{%- endmacro %}
