-- name: load
-- The rows of these runs as JSON.
select id as key, to_json(run_list)::text as row
from run_list
where id = any($1);

-- name: save
-- Writes rows given as JSON; one text for all of them is what costs a program least.
insert into run_list (
    id, position, last_position, requested_at, started_at, ended_at, duration_ms, lines, attempt, exit_code,
    progress_done, progress_total, pipeline, status, reason, trigger, actor, progress_text
)
select
    id, position, last_position, requested_at, started_at, ended_at, duration_ms, lines, attempt, exit_code,
    progress_done, progress_total, pipeline, status, reason, trigger, actor, progress_text
from json_populate_recordset(null::run_list, $1)
on conflict (id) do update
set position = excluded.position,
    last_position = excluded.last_position,
    requested_at = excluded.requested_at,
    started_at = excluded.started_at,
    ended_at = excluded.ended_at,
    duration_ms = excluded.duration_ms,
    lines = excluded.lines,
    attempt = excluded.attempt,
    exit_code = excluded.exit_code,
    progress_done = excluded.progress_done,
    progress_total = excluded.progress_total,
    pipeline = excluded.pipeline,
    status = excluded.status,
    reason = excluded.reason,
    trigger = excluded.trigger,
    actor = excluded.actor,
    progress_text = excluded.progress_text;

-- name: rows
-- The runs requested at these positions, newest first.
select
    id, position, last_position, requested_at, started_at, ended_at, duration_ms, lines, attempt, exit_code,
    progress_done, progress_total, pipeline, status, reason, trigger, actor, progress_text
from run_list
where position = any($1)
order by position desc;

-- name: one
-- One run.
select
    id, position, last_position, requested_at, started_at, ended_at, duration_ms, lines, attempt, exit_code,
    progress_done, progress_total, pipeline, status, reason, trigger, actor, progress_text
from run_list
where id = $1;

-- name: any_of
-- Positions of the newest runs before one position and not before another.
select position
from run_list
where position < $1 and position >= $2
order by position desc
limit $3;

-- name: of_statuses
-- The same among runs of these statuses; each is a walk along one index.
select found.position
from unnest($4::text[]) as wanted (status)
cross join lateral (
    select position
    from run_list
    where status = wanted.status and position < $1 and position >= $2
    order by position desc
    limit $3
) as found
order by found.position desc
limit $3;

-- name: of_pipelines
-- The same among runs of these pipelines.
select found.position
from unnest($4::text[]) as wanted (pipeline)
cross join lateral (
    select position
    from run_list
    where pipeline = wanted.pipeline and position < $1 and position >= $2
    order by position desc
    limit $3
) as found
order by found.position desc
limit $3;

-- name: of_pipelines_and_statuses
-- The same among runs of these pipelines that have one of these statuses.
select found.position
from unnest($4::text[]) as wanted (pipeline)
cross join unnest($5::text[]) as state (status)
cross join lateral (
    select position
    from run_list
    where pipeline = wanted.pipeline and status = state.status and position < $1 and position >= $2
    order by position desc
    limit $3
) as found
order by found.position desc
limit $3;

-- name: of_reason
-- The same among runs that ended for a reason, of these statuses and, unless null, of these pipelines.
select position
from run_list
where reason = $4
    and status in ('FAILED', 'CANCELLED')
    and status = any($5::text[])
    and ($6::text[] is null or pipeline = any($6::text[]))
    and position < $1
    and position >= $2
order by position desc
limit $3;

-- name: of_id
-- The same among runs whose id begins so.
select position
from run_list
where id >= $4
    and id < $4 || '~'
    and ($5::text[] is null or status = any($5::text[]))
    and ($6::text is null or pipeline = $6)
    and ($7::text is null or reason = $7)
    and position < $1
    and position >= $2
order by position desc
limit $3;

-- name: pipelines_named
-- Names of pipelines that contain a text, whatever the case.
select name
from pipeline_list
where strpos(lower(name), lower($1)) > 0
order by name
limit $2;

-- name: first_since
-- The position of the first run requested at a time or later.
select position
from run_list
where requested_at >= $1
order by requested_at
limit 1;

-- name: first_after
-- The position of the first run requested later than a time.
select position
from run_list
where requested_at > $1
order by requested_at
limit 1;

-- name: active
-- Positions of runs that are not over, oldest first.
select position
from run_list
where status in ('PENDING', 'RUNNING')
order by position
limit $1;

-- name: latest_of_pipelines
-- Positions of the latest runs of each of these pipelines.
select found.position
from unnest($1::text[]) as wanted (pipeline)
cross join lateral (
    select position
    from run_list
    where pipeline = wanted.pipeline
    order by position desc
    limit $2
) as found;

-- name: ahead
-- How many runs wait that were requested before a position.
select count(*)
from run_list
where status = 'PENDING' and position < $1;

-- name: counts
-- How many runs wait and how many are under way.
select
    count(*) filter (where status = 'PENDING') as waiting,
    count(*) filter (where status = 'RUNNING') as running
from run_list
where status in ('PENDING', 'RUNNING');
