{{ config(partition_key='day', clustering='minute desc') }}

select
    cast(date_trunc('minute', ts) as date) as day,
    date_trunc('minute', ts) as minute,
    count(*) as listens,
    count(distinct user_id) as listeners
from {{ ref('stg_listen_events') }}
group by date_trunc('minute', ts)
