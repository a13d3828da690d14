{{ config(materialized='incremental', partition_by='event_date') }}

with songs as (

    {% for topic in ['listen_events', 'page_view_events'] -%}
    select event_date, artist, title, duration
    from {{ ref('stg_' ~ topic) }}
    where artist is not null or title is not null
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select
    event_date,
    {{ song_id() }} as song_id,
    artist,
    title,
    duration
from songs
group by event_date, artist, title, duration
