select counted.n as counted, users.n as users
from (select coalesce(sum(users), 0) as n from {{ ref('mart_users_by_gender_level') }}) as counted
cross join (select count(distinct user_id) as n from {{ ref('dim_user') }}) as users
where counted.n <> users.n
