{{ config(materialized='incremental', partition_by='event_date') }}

with attempts as (

    select
        {{ event_id() }} as auth_id,
        event_date,
        ts,
        {{ time_id('ts') }} as time_id,
        {{ date_id('event_date') }} as date_id,
        {{ user_key() }} as user_key,
        user_id,
        {{ location_id() }} as location_id,
        session_id,
        item_in_session,
        success,
        level,
        user_agent
    from {{ ref('stg_auth_events') }}

)

-- One row for each event, however often it was sent.
select
    auth_id,
    event_date,
    min(ts) as ts,
    min(time_id) as time_id,
    min(date_id) as date_id,
    min(user_key) as user_key,
    min(user_id) as user_id,
    min(location_id) as location_id,
    min(session_id) as session_id,
    min(item_in_session) as item_in_session,
    success,
    level,
    user_agent
from attempts
group by event_date, auth_id, success, level, user_agent
