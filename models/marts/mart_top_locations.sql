with counts as (

    {% for grain in var('fine_grains') -%}
    select '{{ grain }}' as grain, period_start, event_date as period_date, location_id, count(*) as plays
    from (select event_date, {{ period_start(grain, 'ts') }} as period_start, location_id from {{ ref('fact_listen') }}) as listens
    group by event_date, period_start, location_id
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

plays as (

    select
        counts.grain,
        counts.period_start,
        counts.period_date,
        locations.city,
        locations.state,
        sum(counts.plays) as plays
    from counts
    inner join {{ ref('dim_location') }} as locations on counts.location_id = locations.location_id
    group by counts.grain, counts.period_start, counts.period_date, locations.city, locations.state

),

ranked as (

    select
        *,
        cast(rank() over (partition by grain, period_date, period_start order by plays desc) as integer) as rank
    from plays

)

select
    grain,
    period_start,
    period_date,
    cast(null as integer) as iso_year,
    cast(null as integer) as week,
    rank,
    city,
    state,
    plays
from ranked
where rank <= {{ var('chart_places') }}

union all

select grain, period_start, period_date, iso_year, week, rank, city, state, plays
from {{ ref('agg_top_locations') }}
