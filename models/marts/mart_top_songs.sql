with counts as (

    {% for grain in var('fine_grains') -%}
    select '{{ grain }}' as grain, period_start, event_date as period_date, song_id, count(*) as plays
    from (select event_date, {{ period_start(grain, 'ts') }} as period_start, song_id from {{ ref('fact_listen') }}) as listens
    group by event_date, period_start, song_id
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

plays as (

    select
        counts.grain,
        counts.period_start,
        counts.period_date,
        songs.title,
        songs.artist,
        sum(counts.plays) as plays
    from counts
    inner join {{ ref('dim_song') }} as songs on counts.song_id = songs.song_id
    group by counts.grain, counts.period_start, counts.period_date, songs.title, songs.artist

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
    title,
    artist,
    plays
from ranked
where rank <= {{ var('chart_places') }}

union all

select grain, period_start, period_date, iso_year, week, rank, title, artist, plays
from {{ ref('agg_top_songs') }}
