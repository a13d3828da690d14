
select event_date, count(*) as orders, sum(amount) as revenue
from main.stg_orders
group by event_date
