
select customer, min(event_date) as first_order, max(event_date) as latest_order
from main.stg_orders
group by customer
