-- name: load
-- The rows of these parts as JSON.
select part as key, state as row
from system_state
where part = any($1);

-- name: save
-- Writes rows given as keys and JSON.
insert into system_state (part, state)
select part, state
from unnest($1::text[], $2::text[]) as given (part, state)
on conflict (part) do update
set state = excluded.state;
