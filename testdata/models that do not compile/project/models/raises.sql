{{ config(materialized='table') }}
{{ exceptions.raise_compiler_error('no songs for ' ~ ref('songs')) }}
