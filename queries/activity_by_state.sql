select state, sum(listens) as listens
from cassandra.music.user_activity_minute
where day = current_date
group by state
order by listens desc, state
