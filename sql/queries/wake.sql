-- name: notify
-- Sends one message to every listening process.
select pg_notify($1, $2);
