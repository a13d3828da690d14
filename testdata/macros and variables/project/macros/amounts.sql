{% macro in_euro(column, rate=1) %}round({{ column }} * {{ rate }}, 2){% endmacro %}

{% macro country_columns(names) -%}
  {%- for name in names %}
  country = '{{ name }}' as is_{{ name | lower }}{{ "," if not loop.last }}
  {%- endfor %}
{%- endmacro %}
