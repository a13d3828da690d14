{{ config(materialized='incremental', partition_by=['event_date']) }}
select orders.event_date, orders.customer, orders.amount, customers.first_order
from {{ ref('stg_orders') }} as orders
left join {{ ref('customers') }} as customers on orders.customer = customers.customer
