{{ config(materialized='incremental', partition_by='event_date') }}

with events as (

    {% for topic in ['listen_events', 'page_view_events', 'auth_events', 'status_change_events'] -%}
    select event_date, ts, user_id, last_name, first_name, gender, level, registration_ms
    from {{ ref('stg_' ~ topic) }}
    where user_id is not null
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select
    event_date,
    {{ user_key() }} as user_key,
    user_id,
    last_name,
    first_name,
    gender,
    level,
    registration_ms,
    min(ts) as first_seen,
    max(ts) as last_seen
from events
group by event_date, user_id, last_name, first_name, gender, level, registration_ms
