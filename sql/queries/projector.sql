-- name: page
-- The next events of the control lane as one JSON text: a program decodes that far faster than rows.
select coalesce(json_agg(
    json_build_array(
        event.position, stream.category, stream.key, event.version, event.type, event.schema_v,
        event.event_id, event.recorded_at, event.meta, event.data
    )
    order by event.position
), '[]')::text as page
from (
    select position, version, type, schema_v, event_id, recorded_at, meta, data, stream_id
    from event
    where lane = 0 and position > $1
    order by position
    limit $2
) as event
-- one look-up for each event: a join would read every stream for a page of a thousand events
cross join lateral (
    select category, key
    from stream
    where stream.stream_id = event.stream_id
    offset 0
) as stream;

-- name: open
-- Makes sure a read model is known; when the log has events already, its rows are still to be made.
insert into projector (name, version)
select $1, case when exists (select from event where lane = 0) then 0 else $2 end
on conflict (name) do nothing;

-- name: states
-- How each read model was built and how far it has come.
select projector.name, projector.version, projector.build, follower.position, follower.error
from projector
join follower using (name)
where name = any($1);

-- name: commit_soon
-- Lets this transaction commit without waiting for the disk: after a crash it would be projected again.
set local synchronous_commit = off;

-- name: advance
-- Moves the checkpoints of read models that are at the same position, unless somebody else moved one meanwhile.
update follower
set position = $3,
    updated_at = clock_timestamp(),
    error = null
from (
    select name
    from follower
    where name = any($1)
    order by name
    for update
) as mine
where follower.name = mine.name and follower.position = $2
returning follower.name;

-- name: builds
-- Which build of each read model is the present one.
select name, build
from projector
where name = any($1);

-- name: stop
-- Writes down what stopped a read model, and since when.
update follower
set error = $2,
    updated_at = case when error = $2 then updated_at else clock_timestamp() end
where name = $1;

-- name: try_rebuild_lock
-- Makes this session the only one that rebuilds a read model; it writes the new table itself, and ends with the lock.
select pg_try_advisory_lock(7702, hashtext($1));

-- name: no_time_limit
-- Building an index takes as long as it takes.
set statement_timeout = 0;

-- name: no_table_scans
-- Keeps plans made for the empty table from reading all of it when it is full.
set enable_seqscan = off;

-- name: begin_rebuild
-- Makes an empty table beside a read model.
call begin_rebuild($1);

-- name: index_rebuild
-- Gives the table beside a read model the other indexes.
call index_rebuild($1);

-- name: short_lock_wait
-- Gives up soon when a long question holds the table, so that others do not queue behind.
set local lock_timeout = '200ms';

-- name: lock_checkpoint
-- How far a read model has come, kept there until the transaction ends.
select position
from follower
where name = $1
for update;

-- name: close_read_model
-- Keeps everybody from a read model until the transaction ends.
call close_read_model($1);

-- name: swap_rebuild
-- Puts the table beside in the read model's place.
call swap_rebuild($1);

-- name: hand_over
-- Says that a read model's new table is the present one, and how far it has come.
with built as (
    update projector
    set version = $2,
        build = build + 1
    where name = $1
)
update follower
set position = $3,
    updated_at = clock_timestamp(),
    error = null
where name = $1;

-- name: drop_rebuild
-- Forgets the table beside a read model.
call drop_rebuild($1);

-- name: reached
-- Whether read models have come at least this far, and whether one of them stopped.
select bool_and(position >= $2) as reached, bool_or(error is not null and position < $2) as stopped
from follower
where name = any($1);

-- name: progress
-- How far each read model has come and what stopped it.
select projector.name, follower.position, follower.error, follower.updated_at as at
from projector
join follower using (name)
order by name;
