{{ config(partition_key='day', clustering=['minute desc', 'title', 'artist']) }}

-- Song and artist: two artists' songs of one title are two songs.
select
    cast(date_trunc('minute', ts) as date) as day,
    date_trunc('minute', ts) as minute,
    title,
    artist,
    count(*) as listens
from {{ ref('stg_listen_events') }}
group by date_trunc('minute', ts), title, artist
