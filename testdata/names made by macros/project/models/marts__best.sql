{{ config(schema='marts', alias='best_song') }}
select max(plays) as plays from {{ ref('core__songs') }}
