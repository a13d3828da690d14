{#- Milliseconds since 1970 as a UTC timestamp. -#}
{% macro timestamp_of_ms(column) -%}
    {{ adapter.dispatch('timestamp_of_ms')(column) }}
{%- endmacro %}

{% macro default__timestamp_of_ms(column) -%}
    to_timestamp_millis({{ column }})
{%- endmacro %}

{#- A timestamp's time of day as the number hhmmss. -#}
{% macro time_id(column) -%}
    cast(extract(hour from {{ column }}) * 10000 + extract(minute from {{ column }}) * 100 + extract(second from {{ column }}) as integer)
{%- endmacro %}

{#- A date as the number yyyymmdd. -#}
{% macro date_id(column) -%}
    cast(extract(year from {{ column }}) * 10000 + extract(month from {{ column }}) * 100 + extract(day from {{ column }}) as integer)
{%- endmacro %}

{#- The start of the period that a date or timestamp lies in, as a timestamp; weeks are ISO weeks and start on Monday. -#}
{% macro period_start(grain, column) -%}
    {{ adapter.dispatch('period_start')(grain, column) }}
{%- endmacro %}

{% macro default__period_start(grain, column) -%}
    cast(date_trunc('{{ grain }}', {{ column }}) as timestamp(3))
{%- endmacro %}

{#- The day of the week by ISO: 1 is Monday, 7 is Sunday. -#}
{% macro iso_day_of_week(column) -%}
    {{ adapter.dispatch('iso_day_of_week')(column) }}
{%- endmacro %}

{% macro default__iso_day_of_week(column) -%}
    extract(isodow from {{ column }})
{%- endmacro %}

{#- The year that a date's ISO week belongs to. -#}
{% macro iso_year(column) -%}
    {{ adapter.dispatch('iso_year')(column) }}
{%- endmacro %}

{% macro default__iso_year(column) -%}
    extract(isoyear from {{ column }})
{%- endmacro %}

{#- The n-th day of a year, counting from 0. -#}
{% macro day_of_year(year, n) -%}
    {{ adapter.dispatch('day_of_year')(year, n) }}
{%- endmacro %}

{% macro default__day_of_year(year, n) -%}
    make_date({{ year }}, 1, 1) + {{ n }}
{%- endmacro %}
