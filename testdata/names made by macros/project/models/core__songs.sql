{{ config(materialized='table', schema='core') }}
select song, plays from {{ ref('plays') }}
