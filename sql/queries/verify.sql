-- name: without_time_limit
-- Looking at the whole log may take longer than any other question.
set local statement_timeout = 0;

-- name: installation
-- There is exactly one installation.
select format('the table installation has %s rows instead of 1', count(*)) as problem
from installation
having count(*) <> 1;

-- name: head
-- No event lies beyond the head.
select format('the head is %s but an event has position %s', head.last_value, max(event.position)) as problem
from head, event
group by head.last_value
having max(event.position) > head.last_value;

-- name: versions
-- The versions of a control stream count from 1 without a gap, in the order of positions.
select format('stream %s has version %s at position %s after version %s at position %s',
    stream_id, version, position, version_before, position_before) as problem
from (
    select
        stream_id,
        version,
        position,
        lag(version, 1, 0::bigint) over by_version as version_before,
        lag(position, 1, 0::bigint) over by_version as position_before
    from event
    where lane = 0
    window by_version as (partition by stream_id order by version)
) as event
where version <> version_before + 1 or position <= position_before
limit 100;

-- name: lines
-- The chunks of a log follow each other from line 1 without a gap, in the order of positions.
select format('log %s has lines %s to %s at position %s after line %s at position %s',
    key, first_line, last_line, position, last_line_before, position_before) as problem
from (
    select
        stream_id,
        (data ->> 'first')::bigint as first_line,
        version as last_line,
        position,
        lag(version) over by_version as last_line_before,
        lag(position) over by_version as position_before
    from event
    where lane = 1
    window by_version as (partition by stream_id order by version)
) as event
join stream using (stream_id)
where first_line > last_line
    -- before the first chunk kept there may have been others that retention dropped
    or first_line <> case position when stream_id then 1 else last_line_before + 1 end
    or position <= position_before
limit 100;

-- name: streams
-- A stream's row tells its last event.
select format('stream %s-%s says version %s at position %s, its last event is version %s at position %s',
    category, key, stream.version, last_position, event.version, event.position) as problem
from stream
full join (
    select stream_id, max(version) as version, max(position) as position
    from event
    group by stream_id
) as event using (stream_id)
where (stream.version, coalesce(stream.last_position, 0)) is distinct from (event.version, event.position)
    -- retention drops the oldest chunks of a log, in the end all of them
    and not (stream.category = 'log' and event.version is null)
limit 100;

-- name: followers
-- No follower is beyond the head.
select format('follower %s is at position %s, beyond the head %s', name, position, last_value) as problem
from follower, head
where position > last_value;
