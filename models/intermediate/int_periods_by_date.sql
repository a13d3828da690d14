{{ config(materialized='table') }}

{% for grain in var('coarse_grains') -%}
select
    date,
    '{{ grain }}' as grain,
    {{ period_start(grain, 'date') }} as period_start,
    cast({{ period_start(grain, 'date') }} as date) as period_date,
    {{ 'iso_year' if grain == 'week' else 'cast(null as integer)' }} as iso_year,
    {{ 'week' if grain == 'week' else 'cast(null as integer)' }} as week
from {{ ref('dim_date') }}
{% if not loop.last %}union all{% endif %}
{% endfor %}
