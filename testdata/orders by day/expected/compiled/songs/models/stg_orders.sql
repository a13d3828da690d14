select
  event_date,
  customer,
  amount
from main.raw_orders
