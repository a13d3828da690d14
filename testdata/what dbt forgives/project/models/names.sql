{{ config(enabled=target.type == 'duckdb' | as_bool) }}
select {{ part("name", +3) }} as short from (values ('Cocteau')) as t (name)
