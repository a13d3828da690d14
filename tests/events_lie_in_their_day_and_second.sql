{% for fact in ['fact_listen', 'fact_page_view', 'fact_auth'] -%}
select '{{ fact }}' as fact, facts.event_date, facts.ts, facts.date_id, facts.time_id
from {{ ref(fact) }} as facts
left join {{ ref('dim_date') }} as dates on facts.date_id = dates.date_id
left join {{ ref('dim_time') }} as times on facts.time_id = times.time_id
where cast(facts.ts as date) <> facts.event_date
    or dates.date <> facts.event_date
    or times.hour <> extract(hour from facts.ts)
    or times.minute <> extract(minute from facts.ts)
    or times.second <> floor(extract(second from facts.ts))
{% if not loop.last %}union all{% endif %}
{% endfor %}
