with __dbt__cte__base as (
select n, n % 3 as kind from range(0, 10) as t(n)
)
select kinds.kind, max(base.n) as largest
from main.kinds as kinds join __dbt__cte__base as base using (kind)
group by kinds.kind
