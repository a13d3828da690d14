{{ config(materialized='incremental', partition_by='event_date') }}

select
    event_date,
    song_id,
    count(*) as plays
from {{ ref('fact_listen') }}
group by event_date, song_id
