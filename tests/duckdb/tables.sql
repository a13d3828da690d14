select
    cast(column1 as integer) as id,
    cast(column2 as integer) as i,
    cast(column3 as integer) as k,
    cast(column4 as bigint) as b,
    cast(column5 as double) as d,
    cast(column6 as decimal(10,2)) as m,
    cast(column7 as decimal(18,4)) as w,
    cast(column8 as varchar) as t,
    cast(column9 as varchar) as g,
    cast(column10 as boolean) as f,
    cast(column11 as date) as day,
    cast(column12 as timestamp) as ts
from (values
    @rows@
) as v
