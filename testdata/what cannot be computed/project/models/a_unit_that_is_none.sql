select
    date_trunc('fortnight', ts) as since
from {{ ref('plays') }}
