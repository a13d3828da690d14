select count(*) as seconds
from {{ ref('dim_time') }}
having count(*) <> 86400
