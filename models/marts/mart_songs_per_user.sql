with periods as (

    {% for grain in var('fine_grains') -%}
    select
        '{{ grain }}' as grain,
        period_start,
        event_date as period_date,
        cast(null as integer) as iso_year,
        cast(null as integer) as week,
        count(*) as songs_played,
        count(distinct user_id) as users
    from (
        select event_date, {{ period_start(grain, 'ts') }} as period_start, user_id
        from {{ ref('fact_listen') }}
        where user_id is not null
    ) as events
    group by event_date, period_start

    union all

    {% endfor %}
    select grain, period_start, period_date, iso_year, week, songs_played, users
    from {{ ref('agg_songs_per_user') }}

)

select
    grain,
    period_start,
    period_date,
    iso_year,
    week,
    songs_played,
    users,
    cast(songs_played as double) / users as songs_per_user
from periods
