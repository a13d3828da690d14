select grains.grain, grains.songs_played, listens.n as listens
from (
    select grain, sum(songs_played) as songs_played from {{ ref('mart_songs_played') }} group by grain
) as grains
cross join (select count(*) as n from {{ ref('fact_listen') }}) as listens
where grains.songs_played <> listens.n
