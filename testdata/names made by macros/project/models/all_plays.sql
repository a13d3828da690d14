select sum(plays) as plays from {{ ref('plays') }}
