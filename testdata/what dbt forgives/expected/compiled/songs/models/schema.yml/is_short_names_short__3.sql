
select * from main.names where length(short) > 3
