select
  event_date,
  customer,
  amount
from {{ source('events', 'orders') }}
