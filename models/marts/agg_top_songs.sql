{{ config(
    materialized='table',
    store='cassandra' if target.name == 'lambda' else 'warehouse',
    partition_key=['grain', 'period_start'],
    clustering=['rank', 'title', 'artist']
) }}

with counts as (

    {{ plays_by_period(ref('int_song_plays_by_day'), 'song_id') }}

),

plays as (

    select
        counts.grain,
        counts.period_start,
        counts.period_date,
        counts.iso_year,
        counts.week,
        songs.title,
        songs.artist,
        sum(counts.plays) as plays
    from counts
    inner join {{ ref('dim_song') }} as songs on counts.song_id = songs.song_id
    group by counts.grain, counts.period_start, counts.period_date, counts.iso_year, counts.week, songs.title, songs.artist

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
    title,
    artist,
    plays
from ranked
where rank <= {{ var('chart_places') }}
