{{ config(materialized='table') }}

with counts as (

    {{ plays_by_period(ref('int_location_plays_by_day'), 'location_id') }}

),

plays as (

    select
        counts.grain,
        counts.period_start,
        counts.period_date,
        counts.iso_year,
        counts.week,
        locations.city,
        locations.state,
        sum(counts.plays) as plays
    from counts
    inner join {{ ref('dim_location') }} as locations on counts.location_id = locations.location_id
    group by counts.grain, counts.period_start, counts.period_date, counts.iso_year, counts.week, locations.city, locations.state

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
