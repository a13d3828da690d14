
select left(name, 3) as short from (values ('Cocteau')) as t (name)
