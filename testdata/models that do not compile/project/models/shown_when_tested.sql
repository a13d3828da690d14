{{ config(materialized='table', publish='after_tests') }}
select id from {{ ref('songs') }}
