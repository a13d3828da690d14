{% for grain in var('fine_grains') -%}
select
    '{{ grain }}' as grain,
    period_start,
    event_date as period_date,
    cast(null as integer) as iso_year,
    cast(null as integer) as week,
    count(*) as songs_played
from (
    select event_date, {{ period_start(grain, 'ts') }} as period_start
    from {{ ref('fact_listen') }}
) as events
group by event_date, period_start

union all

{% endfor %}
select grain, period_start, period_date, iso_year, week, songs_played
from {{ ref('agg_songs_played') }}
