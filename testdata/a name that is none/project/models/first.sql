{{ config(schema='core') }}
select 1 as id
