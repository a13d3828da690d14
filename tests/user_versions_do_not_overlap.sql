select user_id, user_key, valid_from, valid_to, next_valid_from
from (
    select
        user_id,
        user_key,
        valid_from,
        valid_to,
        lead(valid_from) over (partition by user_id order by valid_from, valid_to) as next_valid_from
    from {{ ref('dim_user') }}
    where user_id is not null
) as versions
where valid_to < valid_from
    or next_valid_from < valid_to
    or (valid_to is null and next_valid_from is not null)
