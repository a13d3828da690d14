select * from {{ ref('songs') }} {% if true %} where id = 1
