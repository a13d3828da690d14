{{ config(materialized='table') }}

select
    periods.grain,
    periods.period_start,
    periods.period_date,
    periods.iso_year,
    periods.week,
    count(distinct days.user_id) as users,
    sum(days.logins) as logins
from {{ ref('int_user_logins_by_day') }} as days
inner join {{ ref('int_periods_by_date') }} as periods on days.event_date = periods.date
group by periods.grain, periods.period_start, periods.period_date, periods.iso_year, periods.week
