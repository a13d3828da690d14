select loud from {{ ref('titles') }}
