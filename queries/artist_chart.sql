select artist, sum(listens) as listens
from cassandra.music.artist_chart_minute
where day = current_date
group by artist
order by listens desc, artist
limit 10
