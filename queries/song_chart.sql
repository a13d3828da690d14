select title, artist, sum(listens) as listens
from cassandra.music.song_chart_minute
where day = current_date
group by title, artist
order by listens desc, title, artist
limit 10
