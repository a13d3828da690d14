select
  id,
  nmae
from {{ ref('first') }}
