-- name: open
-- Makes sure a follower's checkpoint exists.
insert into follower (name)
values ($1)
on conflict (name) do nothing;

-- name: position
-- How far a follower has come.
select position
from follower
where name = $1;

-- name: advance
-- Moves a checkpoint, unless somebody else moved it meanwhile.
update follower
set position = $3,
    updated_at = clock_timestamp(),
    error = null
where name = $1 and position = $2
returning position;

-- name: fail
-- Writes down why a follower stopped.
update follower
set error = $2,
    updated_at = clock_timestamp()
where name = $1
returning position;
