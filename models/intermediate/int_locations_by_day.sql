{{ config(materialized='incremental', partition_by='event_date') }}

with events as (

    {% for topic in ['listen_events', 'page_view_events', 'auth_events', 'status_change_events'] -%}
    select event_date, city, zip, state, lon, lat
    from {{ ref('stg_' ~ topic) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select
    event_date,
    {{ location_id() }} as location_id,
    city,
    zip,
    state,
    lon,
    lat
from events
group by event_date, city, zip, state, lon, lat
