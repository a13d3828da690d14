select kinds.kind, max(base.n) as largest
from {{ ref('kinds') }} as kinds join {{ ref('base') }} as base using (kind)
group by kinds.kind
