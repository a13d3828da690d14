{#- A text as it was before its UTF-8 was read as Latin-1, however often: a function of the embedded engine. -#}
{% macro fix_mojibake(column) -%}
    {{ adapter.dispatch('fix_mojibake')(column) }}
{%- endmacro %}

{% macro default__fix_mojibake(column) -%}
    fix_mojibake({{ column }})
{%- endmacro %}
