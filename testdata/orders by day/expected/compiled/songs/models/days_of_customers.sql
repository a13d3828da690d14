
select orders.event_date, orders.customer, orders.amount, customers.first_order
from main.stg_orders as orders
left join main.customers as customers on orders.customer = customers.customer
