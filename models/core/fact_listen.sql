{{ config(materialized='incremental', partition_by='event_date') }}

with listens as (

    select
        {{ event_id() }} as listen_id,
        event_date,
        ts,
        {{ time_id('ts') }} as time_id,
        {{ date_id('event_date') }} as date_id,
        {{ song_id() }} as song_id,
        {{ user_key() }} as user_key,
        user_id,
        {{ location_id() }} as location_id,
        session_id,
        item_in_session,
        auth,
        level,
        duration,
        user_agent
    from {{ ref('stg_listen_events') }}

)

-- One row for each event, however often it was sent.
select
    listen_id,
    event_date,
    min(ts) as ts,
    min(time_id) as time_id,
    min(date_id) as date_id,
    min(song_id) as song_id,
    min(user_key) as user_key,
    min(user_id) as user_id,
    min(location_id) as location_id,
    min(session_id) as session_id,
    min(item_in_session) as item_in_session,
    auth,
    level,
    min(duration) as duration,
    user_agent
from listens
group by event_date, listen_id, auth, level, user_agent
