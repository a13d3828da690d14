{% https://example.com/issues/1 %}
{% macro part(text, length) %}{{ return(adapter.dispatch('part', 'nobody')(text, length)) }}{% endmacro %}
{% macro default__part(text, length) %}left({{ text }}, {{ length }}){% endmacro %}
{% test is_short(model, column_name, most, least) %}
select * from {{ model }} where length({{ column_name }}) > {{ most }}{% if least %} or length({{ column_name }}) < {{ least }}{% endif %}
{% endtest %}
