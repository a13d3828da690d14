{#- The column `n`, counting from 0 up to less than the limit (at most 1000). -#}
{% macro numbers(limit) -%}
    select ones.n + 10 * tens.n + 100 * hundreds.n as n
    from {{ digits() }} as ones
    cross join {{ digits() }} as tens
    cross join {{ digits() }} as hundreds
    where ones.n + 10 * tens.n + 100 * hundreds.n < {{ limit }}
{%- endmacro %}

{% macro digits() -%}
    (select 0 as n {%- for n in range(1, 10) %} union all select {{ n }}{% endfor %})
{%- endmacro %}
