{#- The first eight bytes of a text's md5 as a signed big-endian number: a function of the embedded engine. -#}
{% macro hash_key(text) -%}
    {{ adapter.dispatch('hash_key')(text) }}
{%- endmacro %}

{% macro default__hash_key(text) -%}
    hash_key({{ text }})
{%- endmacro %}
