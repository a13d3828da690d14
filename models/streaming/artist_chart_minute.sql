{{ config(partition_key='day', clustering=['minute desc', 'artist']) }}

select
    cast(date_trunc('minute', ts) as date) as day,
    date_trunc('minute', ts) as minute,
    artist,
    count(*) as listens
from {{ ref('stg_listen_events') }}
group by date_trunc('minute', ts), artist
