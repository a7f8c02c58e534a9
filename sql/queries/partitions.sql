-- name: add_log_partition
-- Adds the next partition of the log lane when fewer than enough lie ahead of the head; null when enough do.
select add_log_partition($1, $2);

-- name: probe_storage
-- Fails when the disk has no room for a little more.
select probe_storage();
