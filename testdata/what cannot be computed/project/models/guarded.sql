select
    case when plays > 100 then 1 / 0 else plays end as plays,
    plays > all (select o.plays from {{ ref('plays') }} as o where o.song <> 'a') as is_most
from {{ ref('plays') }}
