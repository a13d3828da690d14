{{ config(materialized='incremental', partition_by='event_date') }}

select
    event_date,
    user_id,
    count(*) as logins
from {{ ref('fact_auth') }}
where success and user_id is not null
group by event_date, user_id
