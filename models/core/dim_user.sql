{{ config(
    store='cassandra' if target.name == 'lambda' else 'warehouse',
    partition_key='user_key'
) }}

with versions as (

    select
        user_key,
        user_id,
        last_name,
        first_name,
        gender,
        level,
        registration_ms,
        min(first_seen) as first_seen,
        max(last_seen) as last_seen
    from {{ ref('int_user_versions_by_day') }}
    group by user_key, user_id, last_name, first_name, gender, level, registration_ms

),

-- A version that comes back (free, paid, free) is one row: its range is the latest in which it held, so that ranges never overlap.
ordered as (

    select
        *,
        lag(last_seen) over (partition by user_id order by last_seen, first_seen, user_key) as replaced_last_seen
    from versions

),

starts as (

    select
        *,
        case when replaced_last_seen >= first_seen then replaced_last_seen + interval '1 millisecond' else first_seen end as valid_from
    from ordered

),

ranges as (

    select
        *,
        lead(valid_from) over (partition by user_id order by last_seen, first_seen, user_key) as valid_to
    from starts

)

select
    user_key,
    user_id,
    last_name,
    first_name,
    gender,
    level,
    {{ timestamp_of_ms('registration_ms') }} as registration,
    valid_from,
    valid_to,
    valid_to is null as is_current
from ranges

union all

select
    {{ unknown_key() }} as user_key,
    null as user_id,
    'unknown' as last_name,
    'unknown' as first_name,
    'unknown' as gender,
    'unknown' as level,
    null as registration,
    null as valid_from,
    null as valid_to,
    false as is_current
