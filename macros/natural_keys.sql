{#-
    What identifies an event, a user's version, a song and a location: said here once, for facts and dimensions alike.
    Each macro is used where a staging model's columns are in scope. An event without a user or a song has the key of the
    unknown member, so that no fact is lost for want of a dimension. Nulls are part of a location's key: an event that names no
    place has the location whose columns are all null.
-#}
{% macro unknown_key() -%} cast(-1 as bigint) {%- endmacro %}

{% macro event_id() -%}
    {{ surrogate_key(['ts_ms', 'session_id', 'item_in_session', 'user_id']) }}
{%- endmacro %}

{% macro user_key() -%}
    case when user_id is null then {{ unknown_key() }}
        else {{ surrogate_key(['user_id', 'last_name', 'first_name', 'gender', 'level', 'registration_ms']) }} end
{%- endmacro %}

{% macro song_id() -%}
    case when artist is null and title is null then {{ unknown_key() }}
        else {{ surrogate_key(['artist', 'title', scaled('duration', 100000)]) }} end
{%- endmacro %}

{% macro location_id() -%}
    {{ surrogate_key(['city', 'zip', 'state', scaled('lon', 1000000), scaled('lat', 1000000)]) }}
{%- endmacro %}
