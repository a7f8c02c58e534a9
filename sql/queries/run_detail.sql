-- name: load
-- The rows of these runs as JSON.
select id as key, detail as row
from run_detail
where id = any($1);

-- name: save
-- Writes rows given as keys and JSON.
insert into run_detail (id, detail)
select id, detail
from unnest($1::text[], $2::text[]) as given (id, detail)
on conflict (id) do update
set detail = excluded.detail;

-- name: one
-- Everything about one run as JSON.
select detail
from run_detail
where id = $1;
