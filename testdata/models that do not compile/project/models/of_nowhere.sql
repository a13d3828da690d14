select * from {{ source('nowhere', 'plays') }}
