-- The 22 queries of TPC-H with the parameters of their validation, each as one SELECT. What takes the first rows of an order has its keys
-- at the end of that order, so that its rows are determined.

-- q01
select
    l_returnflag, l_linestatus,
    sum(l_quantity) as sum_qty,
    sum(l_extendedprice) as sum_base_price,
    sum(l_extendedprice * (1 - l_discount)) as sum_disc_price,
    sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge,
    avg(l_quantity) as avg_qty,
    avg(l_extendedprice) as avg_price,
    avg(l_discount) as avg_disc,
    count(*) as count_order
from {lineitem}
where l_shipdate <= date '1998-09-02'
group by l_returnflag, l_linestatus

-- q02
with european as (
    select ps_partkey, ps_supplycost, s_acctbal, s_name, n_name, s_address, s_phone, s_comment
    from {partsupp}
    inner join {supplier} on s_suppkey = ps_suppkey
    inner join {nation} on n_nationkey = s_nationkey
    inner join {region} on r_regionkey = n_regionkey
    where r_name = 'EUROPE'
)
select s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
from {part}
inner join european as e on e.ps_partkey = p_partkey
where p_size = 15 and p_type like '%BRASS'
    and ps_supplycost = (select min(c.ps_supplycost) from european as c where c.ps_partkey = p_partkey)
order by s_acctbal desc, n_name, s_name, p_partkey
limit 100

-- q03
select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, o_shippriority
from {customer}
inner join {orders} on o_custkey = c_custkey
inner join {lineitem} on l_orderkey = o_orderkey
where c_mktsegment = 'BUILDING' and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15'
group by l_orderkey, o_orderdate, o_shippriority
order by revenue desc, o_orderdate, l_orderkey
limit 10

-- q04
select o_orderpriority, count(*) as order_count
from {orders}
where o_orderdate >= date '1993-07-01' and o_orderdate < date '1993-10-01'
    and exists (select 1 from {lineitem} where l_orderkey = o_orderkey and l_commitdate < l_receiptdate)
group by o_orderpriority

-- q05
select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue
from {customer}
inner join {orders} on o_custkey = c_custkey
inner join {lineitem} on l_orderkey = o_orderkey
inner join {supplier} on s_suppkey = l_suppkey and s_nationkey = c_nationkey
inner join {nation} on n_nationkey = s_nationkey
inner join {region} on r_regionkey = n_regionkey
where r_name = 'ASIA' and o_orderdate >= date '1994-01-01' and o_orderdate < date '1995-01-01'
group by n_name

-- q06
select sum(l_extendedprice * l_discount) as revenue
from {lineitem}
where l_shipdate >= date '1994-01-01' and l_shipdate < date '1995-01-01'
    and l_discount between 0.05 and 0.07 and l_quantity < 24

-- q07
select supp_nation, cust_nation, l_year, sum(volume) as revenue
from (
    select
        s.n_name as supp_nation, c.n_name as cust_nation,
        extract(year from l_shipdate) as l_year, l_extendedprice * (1 - l_discount) as volume
    from {lineitem}
    inner join {orders} on o_orderkey = l_orderkey
    inner join {customer} on c_custkey = o_custkey
    inner join {supplier} on s_suppkey = l_suppkey
    inner join {nation} as s on s.n_nationkey = s_nationkey
    inner join {nation} as c on c.n_nationkey = c_nationkey
    where l_shipdate between date '1995-01-01' and date '1996-12-31'
        and ((s.n_name = 'FRANCE' and c.n_name = 'GERMANY') or (s.n_name = 'GERMANY' and c.n_name = 'FRANCE'))
) as shipping
group by supp_nation, cust_nation, l_year

-- q08
select o_year, sum(case when nation = 'BRAZIL' then volume else 0 end) / sum(volume) as mkt_share
from (
    select extract(year from o_orderdate) as o_year, l_extendedprice * (1 - l_discount) as volume, s.n_name as nation
    from {part}
    inner join {lineitem} on l_partkey = p_partkey
    inner join {supplier} on s_suppkey = l_suppkey
    inner join {orders} on o_orderkey = l_orderkey
    inner join {customer} on c_custkey = o_custkey
    inner join {nation} as c on c.n_nationkey = c_nationkey
    inner join {region} on r_regionkey = c.n_regionkey
    inner join {nation} as s on s.n_nationkey = s_nationkey
    where r_name = 'AMERICA' and o_orderdate between date '1995-01-01' and date '1996-12-31'
        and p_type = 'ECONOMY ANODIZED STEEL'
) as all_nations
group by o_year

-- q09
select nation, o_year, sum(amount) as sum_profit
from (
    select
        n_name as nation, extract(year from o_orderdate) as o_year,
        l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity as amount
    from {part}
    inner join {lineitem} on l_partkey = p_partkey
    inner join {supplier} on s_suppkey = l_suppkey
    inner join {partsupp} on ps_suppkey = l_suppkey and ps_partkey = l_partkey
    inner join {orders} on o_orderkey = l_orderkey
    inner join {nation} on n_nationkey = s_nationkey
    where p_name like '%green%'
) as profit
group by nation, o_year

-- q10
select
    c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) as revenue, c_acctbal, n_name, c_address, c_phone, c_comment
from {customer}
inner join {orders} on o_custkey = c_custkey
inner join {lineitem} on l_orderkey = o_orderkey
inner join {nation} on n_nationkey = c_nationkey
where o_orderdate >= date '1993-10-01' and o_orderdate < date '1994-01-01' and l_returnflag = 'R'
group by c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
order by revenue desc, c_custkey
limit 20

-- q11
with german as (
    select ps_partkey, ps_supplycost * ps_availqty as value
    from {partsupp}
    inner join {supplier} on s_suppkey = ps_suppkey
    inner join {nation} on n_nationkey = s_nationkey
    where n_name = 'GERMANY'
)
select ps_partkey, sum(value) as value
from german
group by ps_partkey
having sum(value) > (select sum(value) * {fraction} from german)

-- q12
select
    l_shipmode,
    sum(case when o_orderpriority in ('1-URGENT', '2-HIGH') then 1 else 0 end) as high_line_count,
    sum(case when o_orderpriority in ('1-URGENT', '2-HIGH') then 0 else 1 end) as low_line_count
from {orders}
inner join {lineitem} on l_orderkey = o_orderkey
where l_shipmode in ('MAIL', 'SHIP') and l_commitdate < l_receiptdate and l_shipdate < l_commitdate
    and l_receiptdate >= date '1994-01-01' and l_receiptdate < date '1995-01-01'
group by l_shipmode

-- q13
select c_count, count(*) as custdist
from (
    select c_custkey, count(o_orderkey) as c_count
    from {customer}
    left join {orders} on o_custkey = c_custkey and o_comment not like '%special%requests%'
    group by c_custkey
) as c
group by c_count

-- q14
select
    100.00 * sum(case when p_type like 'PROMO%' then l_extendedprice * (1 - l_discount) else 0 end)
        / sum(l_extendedprice * (1 - l_discount)) as promo_revenue
from {lineitem}
inner join {part} on p_partkey = l_partkey
where l_shipdate >= date '1995-09-01' and l_shipdate < date '1995-10-01'

-- q15
with revenue as (
    select l_suppkey, sum(l_extendedprice * (1 - l_discount)) as total_revenue
    from {lineitem}
    where l_shipdate >= date '1996-01-01' and l_shipdate < date '1996-04-01'
    group by l_suppkey
)
select s_suppkey, s_name, s_address, s_phone, total_revenue
from {supplier}
inner join revenue on l_suppkey = s_suppkey
where total_revenue = (select max(total_revenue) from revenue)

-- q16
select p_brand, p_type, p_size, count(distinct ps_suppkey) as supplier_cnt
from {partsupp}
inner join {part} on p_partkey = ps_partkey
where p_brand <> 'Brand#45' and p_type not like 'MEDIUM POLISHED%' and p_size in (49, 14, 23, 45, 19, 3, 36, 9)
    and ps_suppkey not in (select s_suppkey from {supplier} where s_comment like '%Customer%Complaints%')
group by p_brand, p_type, p_size

-- q17
select sum(l_extendedprice) / 7.0 as avg_yearly
from {lineitem}
inner join {part} on p_partkey = l_partkey
where p_brand = 'Brand#23' and p_container = 'MED BOX'
    and l_quantity < (select 0.2 * avg(i.l_quantity) from {lineitem} as i where i.l_partkey = p_partkey)

-- q18
select c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity) as quantity
from {customer}
inner join {orders} on o_custkey = c_custkey
inner join {lineitem} on l_orderkey = o_orderkey
where o_orderkey in (select i.l_orderkey from {lineitem} as i group by i.l_orderkey having sum(i.l_quantity) > 300)
group by c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
order by o_totalprice desc, o_orderdate, o_orderkey
limit 100

-- q19
select sum(l_extendedprice * (1 - l_discount)) as revenue
from {lineitem}
inner join {part} on p_partkey = l_partkey
where l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON'
    and (
        (p_brand = 'Brand#12' and p_container in ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')
            and l_quantity between 1 and 11 and p_size between 1 and 5)
        or (p_brand = 'Brand#23' and p_container in ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')
            and l_quantity between 10 and 20 and p_size between 1 and 10)
        or (p_brand = 'Brand#34' and p_container in ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')
            and l_quantity between 20 and 30 and p_size between 1 and 15)
    )

-- q20
select s_name, s_address
from {supplier}
inner join {nation} on n_nationkey = s_nationkey
where n_name = 'CANADA'
    and s_suppkey in (
        select ps_suppkey
        from {partsupp}
        where ps_partkey in (select p_partkey from {part} where p_name like 'forest%')
            and ps_availqty > (
                select 0.5 * sum(l_quantity)
                from {lineitem}
                where l_partkey = ps_partkey and l_suppkey = ps_suppkey
                    and l_shipdate >= date '1994-01-01' and l_shipdate < date '1995-01-01'
            )
    )

-- q21
select s_name, count(*) as numwait
from {supplier}
inner join {lineitem} as l on l.l_suppkey = s_suppkey
inner join {orders} on o_orderkey = l.l_orderkey
inner join {nation} on n_nationkey = s_nationkey
where o_orderstatus = 'F' and l.l_receiptdate > l.l_commitdate and n_name = 'SAUDI ARABIA'
    and exists (select 1 from {lineitem} as o where o.l_orderkey = l.l_orderkey and o.l_suppkey <> l.l_suppkey)
    and not exists (
        select 1 from {lineitem} as o
        where o.l_orderkey = l.l_orderkey and o.l_suppkey <> l.l_suppkey and o.l_receiptdate > o.l_commitdate
    )
group by s_name
order by numwait desc, s_name
limit 100

-- q22
with wanted as (
    select substring(c_phone, 1, 2) as cntrycode, c_acctbal, c_custkey
    from {customer}
    where substring(c_phone, 1, 2) in ('13', '31', '23', '29', '30', '18', '17')
)
select cntrycode, count(*) as numcust, sum(c_acctbal) as totacctbal
from wanted
where c_acctbal > (select avg(c_acctbal) from wanted where c_acctbal > 0.00)
    and not exists (select 1 from {orders} where o_custkey = c_custkey)
group by cntrycode
