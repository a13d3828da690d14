{{ config(materialized='incremental', partition_by='event_date') }}

select
    event_date,
    artist,
    count(*) as listens,
    count(distinct "userId") as listeners
from {{ source('events', 'listen_events') }}
group by event_date, artist
