-- The two topics arrive on their own, so a listen can be there before its page view.
{{ config(severity='warn') }}

select listens.listen_id, listens.event_date
from {{ ref('fact_listen') }} as listens
left join {{ ref('fact_page_view') }} as page_views
    on listens.listen_id = page_views.page_view_id
    and listens.event_date = page_views.event_date
where page_views.page_view_id is null
    or page_views.page <> 'NextSong'
    or page_views.song_id <> listens.song_id
