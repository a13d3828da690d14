select
    cast(hours.n * 10000 + minutes.n * 100 + seconds.n as integer) as time_id,
    cast(hours.n as integer) as hour,
    cast(minutes.n as integer) as minute,
    cast(seconds.n as integer) as second
from ({{ numbers(24) }}) as hours
cross join ({{ numbers(60) }}) as minutes
cross join ({{ numbers(60) }}) as seconds
