
select is_se, count(*) as rows from main.flagged group by is_se
