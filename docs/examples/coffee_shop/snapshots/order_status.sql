{% snapshot order_status %}
{{ config(unique_key='order_id', strategy='timestamp', updated_at='updated_at', target_schema='main') }}

select order_id, status, updated_at
from {{ ref('stg_orders') }}

{% endsnapshot %}
