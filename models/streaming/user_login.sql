{{ config(partition_key='day', clustering=['ts desc', 'user_id', 'session_id', 'item_in_session']) }}

-- Logins, and not attempts: a failed one names no user.
select
    cast(ts as date) as day,
    ts,
    user_id,
    session_id,
    item_in_session,
    first_name,
    last_name,
    level,
    city,
    state
from {{ ref('stg_auth_events') }}
where success and user_id is not null
