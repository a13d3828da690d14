select
    gender,
    level,
    count(*) as users
from {{ ref('dim_user') }}
where is_current
group by gender, level
