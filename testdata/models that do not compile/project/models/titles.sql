{{ config(materialized='table') }}
select title, uper(title) as loud from {{ ref('songs') }}
