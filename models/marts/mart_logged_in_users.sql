{% for grain in var('fine_grains') -%}
select
    '{{ grain }}' as grain,
    period_start,
    event_date as period_date,
    cast(null as integer) as iso_year,
    cast(null as integer) as week,
    count(distinct user_id) as users,
    count(*) as logins
from (
    select event_date, {{ period_start(grain, 'ts') }} as period_start, user_id
    from {{ ref('fact_auth') }}
    where success and user_id is not null
) as events
group by event_date, period_start

union all

{% endfor %}
select grain, period_start, period_date, iso_year, week, users, logins
from {{ ref('agg_logged_in_users') }}
