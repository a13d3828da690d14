{#- The plays of each period and key, from those of each day. By the key alone, before its names are joined: so a new name asks for no older day. -#}
{% macro plays_by_period(days, key) -%}
    select
        periods.grain,
        periods.period_start,
        periods.period_date,
        periods.iso_year,
        periods.week,
        days.{{ key }},
        sum(days.plays) as plays
    from {{ days }} as days
    inner join {{ ref('int_periods_by_date') }} as periods on days.event_date = periods.date
    group by periods.grain, periods.period_start, periods.period_date, periods.iso_year, periods.week, days.{{ key }}
{%- endmacro %}
