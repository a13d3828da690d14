
select song, plays from main_given.plays
