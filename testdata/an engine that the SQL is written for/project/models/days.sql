select
    date_trunc(month, moment) as month,
    to_char(moment, 'YYYY-MM-DD') as written,
    convert_timezone('UTC', 'Asia/Tokyo', moment) as there,
    safe_divide(n, 0) as nothing,
    percentile_cont(0.5) within group (order by n) over () as middle
from (values (timestamp '2024-02-29 20:00:00', 3)) as t (moment, n)
