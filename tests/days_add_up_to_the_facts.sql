-- The per-day tables count what the facts hold.
{% for days, measure, fact, condition in [
    ('int_song_plays_by_day', 'plays', 'fact_listen', 'true'),
    ('int_location_plays_by_day', 'plays', 'fact_listen', 'true'),
    ('int_user_plays_by_day', 'plays', 'fact_listen', 'user_id is not null'),
    ('int_user_logins_by_day', 'logins', 'fact_auth', 'success and user_id is not null'),
] -%}
select '{{ days }}' as days, counted.n as counted, facts.n as facts
from (select coalesce(sum({{ measure }}), 0) as n from {{ ref(days) }}) as counted
cross join (select count(*) as n from {{ ref(fact) }} where {{ condition }}) as facts
where counted.n <> facts.n
{% if not loop.last %}union all{% endif %}
{% endfor %}
