-- name: load
-- The rows of these minutes, counted from 1970, as JSON.
select (extract(epoch from minute) / 60)::bigint::text as key, to_json(activity)::text as row
from activity
where minute = any(array(
    select to_timestamp(wanted.minutes::bigint * 60)
    from unnest($1::text[]) as wanted (minutes)
));

-- name: save
-- Writes rows given as JSON; one text for all of them is what costs a program least.
insert into activity (minute, requested, succeeded, failed, cancelled)
select minute, requested, succeeded, failed, cancelled
from json_populate_recordset(null::activity, $1)
on conflict (minute) do update
set requested = excluded.requested,
    succeeded = excluded.succeeded,
    failed = excluded.failed,
    cancelled = excluded.cancelled;

-- name: since
-- What happened since a time, to the minute.
select
    coalesce(sum(requested), 0)::bigint as requested,
    coalesce(sum(succeeded), 0)::bigint as succeeded,
    coalesce(sum(failed), 0)::bigint as failed,
    coalesce(sum(cancelled), 0)::bigint as cancelled
from activity
where minute >= $1;
