-- name: append
-- Appends requests to control streams; one row per request says what became of it.
select request, status, position, version
from append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: append_log
-- Appends chunks of logs; one row per chunk says what became of it.
select request, status, position, version
from append_log($1, $2, $3, $4, $5, $6, $7);

-- name: head
-- The last visible position of both lanes: everything at or below it is final.
select
    coalesce((select max(position) from event where lane = 0), 0) as control,
    coalesce((select max(position) from event where lane = 1 and position > $1), 0) as log;

-- name: read_control
-- The next page of the control lane after a position.
select event.position, stream.category, stream.key, event.version, event.type, event.schema_v, event.event_id,
    event.data, event.meta, event.recorded_at
from (
    select *
    from event
    where lane = 0 and position > $1
    order by position
    limit $2
) as event
join stream using (stream_id)
order by position;

-- name: read_stream
-- The next page of one control stream after a version.
select position, version, type, schema_v, event_id, data, meta, recorded_at
from event
where lane = 0
    and stream_id = (select stream_id from stream where category = $1 and key = $2)
    and version > $3
order by version
limit $4;

-- name: read_raw
-- The next page of the control lane after a position, as stored, optionally of one type.
select event.position, stream.category, stream.key, event.version, event.type, event.data, event.meta,
    event.recorded_at
from event
join stream using (stream_id)
where lane = 0
    and position > $1
    and ($3::text is null or type = $3)
order by position
limit $2;

-- name: read_raw_control_stream
-- The next page of one control stream after a position, as stored, optionally of one type.
select event.position, event.version, event.type, event.data, event.meta, event.recorded_at
from event
where lane = 0
    and stream_id = $4
    and position > $1
    and ($3::text is null or type = $3)
order by version
limit $2;

-- name: read_raw_log_stream
-- The next page of one log's chunks after a position, without their bytes.
select event.position, event.version, event.type, event.data, event.meta, event.recorded_at
from event
where lane = 1
    and stream_id = $4
    and position > $1
    -- a stream's id is the position of its first event
    and position between $4 and $5
    and ($3::text is null or type = $3)
order by version
limit $2;

-- name: stream
-- Where one stream lies in the log.
select stream_id, version, last_position
from stream
where category = $1 and key = $2;

-- name: read_chunks
-- Chunks of one log from the one that holds a line on; the positions keep the search to a few partitions.
select position, version as last_line, data, payload
from event
where lane = 1
    -- a stream's id is the position of its first event
    and position between $1 and $2
    and stream_id = $1
    and version >= $3
order by version
limit $4;

-- name: make_durable
-- A synchronous commit: every commit before it is on disk when it returns.
update installation
set synced_at = clock_timestamp();
