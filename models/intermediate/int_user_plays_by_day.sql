{{ config(materialized='incremental', partition_by='event_date') }}

select
    event_date,
    user_id,
    count(*) as plays
from {{ ref('fact_listen') }}
where user_id is not null
group by event_date, user_id
