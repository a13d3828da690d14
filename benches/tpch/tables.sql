-- The eight tables of TPC-H, their sizes, keys and distributions after its public specification, of a hash in place of its random numbers.
-- {s} is the scale factor. What a statement makes is a table in DuckDB; orders and lineitem are made for a range of order numbers.

-- once
create or replace macro pick(list, n) as list[(n % len(list))::int + 1];
create or replace macro h(a, b) as hash(a, b);
create or replace macro money(cents) as (cents / 100.0)::decimal(15, 2);
create or replace macro phone(nation, n) as format('{{:02d}}-{{:03d}}-{{:03d}}-{{:04d}}', nation + 10, 100 + (h(n, 31) % 900)::int, 100 + (h(n, 32) % 900)::int, 1000 + (h(n, 33) % 9000)::int);
create or replace macro address(n) as substring(md5(n::varchar), 1, 10 + (h(n, 34) % 22)::int);
create or replace macro price(part) as money(90000 + (part // 10) % 20001 + 100 * (part % 1000));
create or replace macro supplier_of(part, j) as (part + j * ({suppliers} // 4 + (part - 1) // {suppliers})) % {suppliers} + 1;
create or replace macro words(n) as pick(['furiously', 'quickly', 'slyly', 'carefully', 'blithely', 'silent', 'even', 'bold'], h(n, 41)) || ' '
    || pick(['deposits', 'accounts', 'packages', 'theodolites', 'pinto beans', 'ideas', 'foxes'], h(n, 42)) || ' '
    || pick(['sleep', 'haggle', 'nag', 'wake', 'cajole', 'doze', 'detect'], h(n, 43)) || ' above the '
    || pick(['final', 'regular', 'express', 'ironic', 'pending', 'close'], h(n, 44)) || ' '
    || pick(['instructions', 'dependencies', 'platelets', 'asymptotes', 'courts'], h(n, 45));
create or replace macro colour(n) as pick(string_split('almond antique aquamarine azure beige bisque black blanched blue blush brown burlywood burnished chartreuse chiffon chocolate coral cornflower cornsilk cream cyan dark deep dim dodger drab firebrick floral forest frosted gainsboro ghost goldenrod green grey honeydew hot indian ivory khaki lace lavender lawn lemon light lime linen magenta maroon medium metallic midnight mint misty moccasin navajo navy olive orange orchid pale papaya peach peru pink plum powder puff purple red rose rosy royal saddle salmon sandy seashell sienna sky slate smoke snow spring steel tan thistle tomato turquoise violet wheat white yellow', ' '), n);
create or replace macro order_key(n) as (n // 8) * 32 + n % 8 + 1;
create or replace macro order_date(n) as date '1992-01-01' + (h(n, 21) % 2406)::int;

-- region
select n::bigint as r_regionkey, ['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'][n + 1] as r_name, words(n) as r_comment from range(5) as r(n);

-- nation
select n::bigint as n_nationkey,
    ['ALGERIA', 'ARGENTINA', 'BRAZIL', 'CANADA', 'EGYPT', 'ETHIOPIA', 'FRANCE', 'GERMANY', 'INDIA', 'INDONESIA', 'IRAN', 'IRAQ', 'JAPAN', 'JORDAN', 'KENYA', 'MOROCCO', 'MOZAMBIQUE', 'PERU', 'CHINA', 'ROMANIA', 'SAUDI ARABIA', 'VIETNAM', 'RUSSIA', 'UNITED KINGDOM', 'UNITED STATES'][n + 1] as n_name,
    [0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1, 2, 3, 4, 2, 3, 3, 1][n + 1]::bigint as n_regionkey, words(n) as n_comment
from range(25) as r(n);

-- supplier
select n::bigint as s_suppkey, format('Supplier#{{:09d}}', n) as s_name, address(n) as s_address, (h(n, 1) % 25)::bigint as s_nationkey,
    phone((h(n, 1) % 25)::int, n) as s_phone, money((h(n, 2) % 1099999)::bigint - 99999) as s_acctbal,
    case when n % 2000 = 7 then 'slyly bold Customer ideas Complaints' else words(n) end as s_comment
from range(1, {suppliers} + 1) as r(n);

-- part
select n::bigint as p_partkey, colour(h(n, 3)) || ' ' || colour(h(n, 4)) || ' ' || colour(h(n, 5)) || ' ' || colour(h(n, 6)) || ' ' || colour(h(n, 7)) as p_name,
    'Manufacturer#' || (h(n, 8) % 5 + 1)::varchar as p_mfgr, 'Brand#' || (h(n, 8) % 5 + 1)::varchar || (h(n, 9) % 5 + 1)::varchar as p_brand,
    pick(['STANDARD', 'SMALL', 'MEDIUM', 'LARGE', 'ECONOMY', 'PROMO'], h(n, 10)) || ' ' || pick(['ANODIZED', 'BURNISHED', 'PLATED', 'POLISHED', 'BRUSHED'], h(n, 11)) || ' ' || pick(['TIN', 'NICKEL', 'BRASS', 'STEEL', 'COPPER'], h(n, 12)) as p_type,
    (h(n, 13) % 50 + 1)::bigint as p_size,
    pick(['SM', 'LG', 'MED', 'JUMBO', 'WRAP'], h(n, 14)) || ' ' || pick(['CASE', 'BOX', 'BAG', 'JAR', 'PKG', 'PACK', 'CAN', 'DRUM'], h(n, 15)) as p_container,
    price(n) as p_retailprice
from range(1, {parts} + 1) as r(n);

-- partsupp
select n::bigint as ps_partkey, supplier_of(n, j)::bigint as ps_suppkey, (h(n * 4 + j, 16) % 9999 + 1)::bigint as ps_availqty, money((h(n * 4 + j, 17) % 99901 + 100)::bigint) as ps_supplycost
from range(1, {parts} + 1) as r(n), range(4) as k(j);

-- customer
select n::bigint as c_custkey, format('Customer#{{:09d}}', n) as c_name, address(n + 7) as c_address, (h(n, 18) % 25)::bigint as c_nationkey,
    phone((h(n, 18) % 25)::int, n + 7) as c_phone, money((h(n, 19) % 1099999)::bigint - 99999) as c_acctbal,
    pick(['AUTOMOBILE', 'BUILDING', 'FURNITURE', 'MACHINERY', 'HOUSEHOLD'], h(n, 20)) as c_mktsegment, words(n + 7) as c_comment
from range(1, {customers} + 1) as r(n);

-- lineitem
select l_orderkey, l_partkey, supplier_of(l_partkey, (h(line, 52) % 4)::int)::bigint as l_suppkey, l_linenumber, l_quantity::decimal(15, 2) as l_quantity,
    (l_quantity * price(l_partkey))::decimal(15, 2) as l_extendedprice, money((h(line, 54) % 11)::bigint) as l_discount, money((h(line, 55) % 9)::bigint) as l_tax,
    case when receipt <= date '1995-06-17' then pick(['R', 'A'], h(line, 56)) else 'N' end as l_returnflag, case when ship > date '1995-06-17' then 'O' else 'F' end as l_linestatus,
    ship as l_shipdate, ordered + 30 + (h(line, 58) % 61)::int as l_commitdate, receipt as l_receiptdate,
    pick(['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'], h(line, 60)) as l_shipinstruct,
    pick(['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'], h(line, 61)) as l_shipmode
from (
    select order_key(n)::bigint as l_orderkey, n * 8 + j as line, j::bigint + 1 as l_linenumber, (h(n * 8 + j, 51) % {parts} + 1)::bigint as l_partkey, (h(n * 8 + j, 53) % 50 + 1)::bigint as l_quantity,
        order_date(n) as ordered, order_date(n) + 1 + (h(n * 8 + j, 57) % 121)::int as ship, order_date(n) + 1 + (h(n * 8 + j, 57) % 121)::int + 1 + (h(n * 8 + j, 59) % 30)::int as receipt
    from range({first}, {last}) as r(n), range(7) as k(j)
    where j <= (h(n, 22) % 7)::int and n >= {left_from}
) as l;

-- orders
select order_key(n)::bigint as o_orderkey, customer as o_custkey,
    case when order_date(n) + 122 <= date '1995-06-17' then 'F' when order_date(n) > date '1995-06-17' then 'O' else 'P' end as o_orderstatus,
    money((h(n, 24) % 50000000 + 100000)::bigint) as o_totalprice, order_date(n) as o_orderdate,
    pick(['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'], h(n, 25)) as o_orderpriority, format('Clerk#{{:09d}}', (h(n, 26) % greatest({customers} // 150, 1))::bigint + 1) as o_clerk, 0::bigint as o_shippriority,
    case when h(n, 27) % 85 = 0 then 'even special deposits sleep requests' else words(n) end as o_comment
from (select n, (h(n, 23) % ({customers} // 3))::bigint * 3 + 1 + (h(n, 28) % 2)::bigint as customer from range({first}, {last}) as r(n) where n >= {left_from}) as o;
