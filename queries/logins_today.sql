select count(*) as logins, count(distinct user_id) as users
from cassandra.music.user_login
where day = current_date
