{{ config(materialized='incremental', partition_by='event_date') }}

with changes as (

    select
        {{ event_id() }} as level_change_id,
        event_date,
        ts,
        user_id,
        level as from_level
    from {{ ref('stg_status_change_events') }}

)

-- The event bears the level that the user leaves.
select
    level_change_id,
    event_date,
    min(ts) as ts,
    min(user_id) as user_id,
    from_level,
    case from_level when 'free' then 'paid' when 'paid' then 'free' end as to_level
from changes
group by event_date, level_change_id, from_level
