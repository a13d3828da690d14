{{ config(materialized='table') }}

select
    periods.grain,
    periods.period_start,
    periods.period_date,
    periods.iso_year,
    periods.week,
    sum(days.plays) as songs_played
from {{ ref('int_song_plays_by_day') }} as days
inner join {{ ref('int_periods_by_date') }} as periods on days.event_date = periods.date
group by periods.grain, periods.period_start, periods.period_date, periods.iso_year, periods.week
