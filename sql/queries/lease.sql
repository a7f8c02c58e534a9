-- name: take
-- Takes a lease nobody holds; the epoch is null when somebody does.
select epoch, holder_gone
from take_lease($1, $2, $3, $4);

-- name: renew
-- Prolongs a lease of this epoch; no row when another holder took it.
update lease
set until = clock_timestamp() + $3,
    session_pid = pg_backend_pid(),
    session_start = (select backend_start from pg_stat_activity where pid = pg_backend_pid())
where name = $1 and epoch = $2
returning epoch;

-- name: release
-- Gives a lease back before its time.
update lease
set until = clock_timestamp()
where name = $1 and epoch = $2
returning pg_notify('fastflow_lease', name);
