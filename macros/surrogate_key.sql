{#-
    A key that is the same on every run and on every engine: a hash of the columns' texts.
    The separator and the mark for null are control characters, so ('ab', 'c'), ('a', 'bc'), (null, 'c') and ('', 'c') all differ.
    Give doubles as `scaled(column, factor)`, since engines print them differently.
-#}
{% macro surrogate_key(columns) -%}
    {{ adapter.dispatch('surrogate_key')(columns) }}
{%- endmacro %}

{% macro default__surrogate_key(columns) -%}
    {%- set texts -%}
        concat(
        {%- for column in columns %}
            {%- if not loop.first %}, chr(31), {% endif -%}
            coalesce(cast({{ column }} as varchar), chr(0))
        {%- endfor -%}
        )
    {%- endset -%}
    {{ hash_key(texts) }}
{%- endmacro %}

{#- The same in one step: a function of the embedded engine. -#}
{% macro mep__surrogate_key(columns) -%}
    surrogate_key({{ columns | join(', ') }})
{%- endmacro %}

{#- A double as a whole number of its smallest unit. -#}
{% macro scaled(column, factor) -%}
    cast(round({{ column }} * {{ factor }}) as bigint)
{%- endmacro %}
