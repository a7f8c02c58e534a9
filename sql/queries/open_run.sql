-- name: all
-- Every run that was open at the checkpoint, oldest first.
select run, position, phase
from open_run
order by position;

-- name: keep
-- Runs that are open now, or went on since.
insert into open_run (run, position, phase)
select run, position, phase
from unnest($1::text[], $2::bigint[], $3::text[]) as now (run, position, phase)
on conflict (run) do update
set phase = excluded.phase;

-- name: close
-- Runs of which nothing is left to do.
delete from open_run
where run = any($1::text[]);
