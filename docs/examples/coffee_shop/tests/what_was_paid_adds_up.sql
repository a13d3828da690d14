select order_id
from {{ ref('orders') }}
where abs(card_amount + cash_amount + gift_card_amount - amount) > 0.001
