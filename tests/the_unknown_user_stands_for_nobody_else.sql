{% for fact in ['fact_listen', 'fact_page_view', 'fact_auth'] -%}
select '{{ fact }}' as fact, user_id, user_key
from {{ ref(fact) }}
where (user_id is null) <> (user_key = {{ unknown_key() }})
{% if not loop.last %}union all{% endif %}
{% endfor %}
