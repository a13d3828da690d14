select minute, listens, listeners
from cassandra.music.listen_count_minute
where day = current_date
order by minute
