with minutes as (
    select minute, listens
    from cassandra.music.listen_count_minute
    where day in (current_date, date_add('day', -1, current_date))
),
latest as (select max(minute) as minute from minutes)
select
    coalesce(sum(listens) filter (where m.minute > date_add('minute', -60, l.minute)), 0) as last_hour,
    coalesce(sum(listens) filter (where m.minute <= date_add('minute', -60, l.minute)), 0) as hour_before
from minutes as m
cross join latest as l
where m.minute > date_add('minute', -120, l.minute)
