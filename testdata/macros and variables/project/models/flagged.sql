{%- set names = var('countries') -%}
{%- set limit = '%d.%02d' % (7, var('days_back') + 3) -%}
select
  country,
  {{ in_euro('price', rate=0.1) }} as price,
  {{ country_columns(names) }}
from {{ ref('prices') }}
where price > {{ limit }}
