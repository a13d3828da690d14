-- Every day of each year in which something happened.
with years as (

    {% for fact in ['fact_listen', 'fact_page_view', 'fact_auth'] -%}
    select extract(year from event_date) as year from {{ ref(fact) }} group by extract(year from event_date)
    {% if not loop.last %}union{% endif %}
    {% endfor %}

),

days as (

    select
        years.year,
        {{ day_of_year('years.year', 'numbers.n') }} as date
    from years
    cross join ({{ numbers(366) }}) as numbers

)

select
    {{ date_id('date') }} as date_id,
    date,
    cast(extract(day from date) as integer) as day,
    cast({{ iso_day_of_week('date') }} as integer) as day_of_week,
    cast(extract(week from date) as integer) as week,
    cast({{ iso_year('date') }} as integer) as iso_year,
    cast(extract(month from date) as integer) as month,
    cast(extract(quarter from date) as integer) as quarter,
    cast(extract(year from date) as integer) as year
from days
where extract(year from date) = days.year
