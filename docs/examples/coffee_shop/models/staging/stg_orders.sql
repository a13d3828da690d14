select
    id as order_id,
    customer_id,
    ordered_at,
    cast(ordered_at as date) as order_date,
    status,
    updated_at
from {{ ref('raw_orders') }}
where ordered_at >= timestamp '{{ var("first_day") }} 00:00:00'
