with today as (
    select minute, gender, level, listeners
    from cassandra.music.gender_distribution_minute
    where day = current_date
)
select gender, level, listeners
from today
where minute = (select max(minute) from today)
order by gender, level
