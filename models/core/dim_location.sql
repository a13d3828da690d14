select
    location_id,
    min(city) as city,
    min(zip) as zip,
    min(state) as state,
    min(lon) as lon,
    min(lat) as lat
from {{ ref('int_locations_by_day') }}
group by location_id

union all

select
    {{ unknown_key() }} as location_id,
    'unknown' as city,
    null as zip,
    'unknown' as state,
    null as lon,
    null as lat
