select artist, sum(listens) as listens
from {{ ref('listens_by_day') }}
group by artist
order by listens desc, artist
limit 10
