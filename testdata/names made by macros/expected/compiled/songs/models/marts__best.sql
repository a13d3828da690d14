
select max(plays) as plays from core.songs
