select * from {{ ref('songs') }} where ident = 0
