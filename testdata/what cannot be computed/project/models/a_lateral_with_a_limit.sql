select p.song, n.ts
from {{ ref('plays') }} as p
left join lateral (
    select later.ts from {{ ref('plays') }} as later where later.song = p.song order by later.ts limit 1
) as n on true
