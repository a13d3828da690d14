{{ config(materialized='table') }}
select is_se, count(*) as rows from {{ ref('flagged') }} group by is_se
