-- The key of a per-day table is the day with the key of what it counts or describes.
{% for days, key in [
    ('int_user_versions_by_day', 'user_key'),
    ('int_song_plays_by_day', 'song_id'),
    ('int_location_plays_by_day', 'location_id'),
    ('int_user_plays_by_day', 'user_id'),
    ('int_user_logins_by_day', 'user_id'),
] -%}
select '{{ days }}' as days, event_date, {{ key }} as key, count(*) as n
from {{ ref(days) }}
group by event_date, {{ key }}
having count(*) > 1
{% if not loop.last %}union all{% endif %}
{% endfor %}
