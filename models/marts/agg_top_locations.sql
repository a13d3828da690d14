{{ config(materialized='table') }}

with plays as (

    select
        periods.grain,
        periods.period_start,
        periods.period_date,
        periods.iso_year,
        periods.week,
        locations.city,
        locations.state,
        sum(days.plays) as plays
    from {{ ref('int_location_plays_by_day') }} as days
    inner join {{ ref('int_periods_by_date') }} as periods on days.event_date = periods.date
    inner join {{ ref('dim_location') }} as locations on days.location_id = locations.location_id
    group by periods.grain, periods.period_start, periods.period_date, periods.iso_year, periods.week, locations.city, locations.state

),

ranked as (

    select
        *,
        cast(rank() over (partition by grain, period_start order by plays desc) as integer) as rank
    from plays

)

select
    grain,
    period_start,
    period_date,
    iso_year,
    week,
    rank,
    city,
    state,
    plays
from ranked
where rank <= {{ var('chart_places') }}
