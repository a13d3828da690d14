{% set pattern = '([a-z' %}
select regexp_replace(song, '{{ pattern }}', '') as song
from {{ ref('plays') }}
