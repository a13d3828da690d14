select song, plays / {{ 1 - 1 }} as share
from {{ ref('plays') }}
