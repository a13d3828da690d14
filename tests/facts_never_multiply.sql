-- A fact has as many rows as its topic has different events.
{% for fact, staging in [
    ('fact_listen', 'stg_listen_events'),
    ('fact_page_view', 'stg_page_view_events'),
    ('fact_auth', 'stg_auth_events'),
] -%}
select '{{ fact }}' as fact, events.n as events, facts.n as facts
from (
    select count(*) as n
    from (
        select ts_ms, session_id, item_in_session, user_id
        from {{ ref(staging) }}
        group by ts_ms, session_id, item_in_session, user_id
    ) as natural_keys
) as events
cross join (select count(*) as n from {{ ref(fact) }}) as facts
where events.n <> facts.n
{% if not loop.last %}union all{% endif %}
{% endfor %}
