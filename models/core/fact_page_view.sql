{{ config(materialized='incremental', partition_by='event_date') }}

with page_views as (

    select
        {{ event_id() }} as page_view_id,
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
        page,
        auth,
        method,
        status,
        level,
        user_agent
    from {{ ref('stg_page_view_events') }}

)

-- One row for each event, however often it was sent.
select
    page_view_id,
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
    page,
    auth,
    method,
    min(status) as status,
    level,
    user_agent
from page_views
group by event_date, page_view_id, page, auth, method, level, user_agent
