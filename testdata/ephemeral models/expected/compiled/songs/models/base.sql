
select n, n % 3 as kind from range(0, 10) as t(n)
