with __dbt__cte__base as (
select n, n % 3 as kind from range(0, 10) as t(n)
)

select kind, count(*) as numbers from __dbt__cte__base group by kind
