{% for dimension, column in [
    ('dim_song', 'title'),
    ('dim_song', 'artist'),
    ('dim_user', 'last_name'),
    ('dim_user', 'first_name'),
    ('dim_location', 'city'),
] -%}
select '{{ dimension }}.{{ column }}' as found_in, {{ column }} as text
from {{ ref(dimension) }}
where {{ fix_mojibake(column) }} <> {{ column }}
{% if not loop.last %}union all{% endif %}
{% endfor %}
