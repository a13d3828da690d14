{{ config(enabled=false) }}
select {{ a_macro_that_is_not_there() }} as x
