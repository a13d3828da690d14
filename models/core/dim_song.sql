select
    song_id,
    min(title) as title,
    min(artist) as artist,
    min(duration) as duration
from {{ ref('int_songs_by_day') }}
group by song_id

union all

select
    {{ unknown_key() }} as song_id,
    'unknown' as title,
    'unknown' as artist,
    null as duration
