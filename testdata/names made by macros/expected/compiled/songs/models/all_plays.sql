select sum(plays) as plays from main_given.plays
