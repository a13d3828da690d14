select id, id / 2 as half, cast(id as number(10, 2)) / 3 as third, id || '/' || zip as name from main.places
