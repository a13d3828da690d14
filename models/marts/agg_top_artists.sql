{{ config(materialized='table') }}

with artist_days as (

    select
        days.event_date,
        songs.artist,
        sum(days.plays) as plays
    from {{ ref('int_song_plays_by_day') }} as days
    inner join {{ ref('dim_song') }} as songs on days.song_id = songs.song_id
    group by days.event_date, songs.artist

),

plays as (

    select
        periods.grain,
        periods.period_start,
        periods.period_date,
        periods.iso_year,
        periods.week,
        days.artist,
        sum(days.plays) as plays
    from artist_days as days
    inner join {{ ref('int_periods_by_date') }} as periods on days.event_date = periods.date
    group by periods.grain, periods.period_start, periods.period_date, periods.iso_year, periods.week, days.artist

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
    artist,
    plays
from ranked
where rank <= {{ var('chart_places') }}
