select user_id, sum(case when is_current then 1 else 0 end) as current_versions
from {{ ref('dim_user') }}
where user_id is not null
group by user_id
having sum(case when is_current then 1 else 0 end) <> 1
