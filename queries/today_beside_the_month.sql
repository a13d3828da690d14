-- Facts count an event once, however often it was sent; the stream counts it as it was sent, until the nightly run.
select event_date as day, count(*) as listens, 'facts' as side
from hive.music.fact_listen
where event_date between date_add('day', -30, current_date) and date_add('day', -1, current_date)
group by event_date
union all
select day, sum(listens) as listens, 'stream' as side
from cassandra.music.listen_count_minute
where day = current_date
group by day
order by day
