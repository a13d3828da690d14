select events.success, events.n as events, facts.n as facts
from (
    select success, count(*) as n
    from (
        select ts_ms, session_id, item_in_session, user_id, success
        from {{ ref('stg_auth_events') }}
        group by ts_ms, session_id, item_in_session, user_id, success
    ) as natural_keys
    group by success
) as events
left join (
    select success, count(*) as n from {{ ref('fact_auth') }} group by success
) as facts on events.success = facts.success
where facts.n is null or events.n <> facts.n
