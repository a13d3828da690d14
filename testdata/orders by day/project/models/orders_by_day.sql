{{ config(materialized='incremental', partition_by=['event_date']) }}
select event_date, count(*) as orders, sum(amount) as revenue
from {{ ref('stg_orders') }}
group by event_date
