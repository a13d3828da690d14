select cast(column1 as integer) as plays, cast(column2 as timestamp) as ts, column3 as song
from (values (1, '2024-02-29 10:00:00', 'a')) as v
