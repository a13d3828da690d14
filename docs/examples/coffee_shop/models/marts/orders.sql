{{ config(materialized='incremental', unique_key='order_id') }}

{% set methods = ['card', 'cash', 'gift_card'] %}

with payments as (
    select
        order_id,
        {% for method in methods -%}
        sum(case when method = '{{ method }}' then amount else 0 end) as {{ method }}_amount,
        {% endfor -%}
        sum(amount) as amount
    from {{ ref('stg_payments') }}
    group by order_id
)

select
    o.order_id,
    o.customer_id,
    o.order_date,
    o.status,
    {% for method in methods -%}
    p.{{ method }}_amount,
    {% endfor -%}
    p.amount,
    o.updated_at
from {{ ref('stg_orders') }} as o
left join payments as p on p.order_id = o.order_id
{% if is_incremental() %}
where o.updated_at > (select max(updated_at) from {{ this }})
{% endif %}
