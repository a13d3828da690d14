select
  country,
  round(price * 0.1, 2) as price,
  
  country = 'SE' as is_se,
  country = 'NO' as is_no
from main.prices
where price > 7.05
