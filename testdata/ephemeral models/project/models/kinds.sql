{{ config(materialized='table') }}
select kind, count(*) as numbers from {{ ref('base') }} group by kind
