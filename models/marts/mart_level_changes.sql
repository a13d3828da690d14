select
    periods.grain,
    periods.period_start,
    periods.period_date,
    periods.iso_year,
    periods.week,
    sum(case when days.to_level = 'paid' then 1 else 0 end) as upgrades,
    sum(case when days.to_level = 'free' then 1 else 0 end) as downgrades
from {{ ref('int_level_changes') }} as days
inner join {{ ref('int_periods_by_date') }} as periods on days.event_date = periods.date
group by periods.grain, periods.period_start, periods.period_date, periods.iso_year, periods.week
