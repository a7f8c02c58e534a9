-- name: create_schema
-- The log's schema, made before its first migration.
create schema if not exists fastflow;

-- name: create_table
-- The place where applied migrations are written down.
create table if not exists fastflow.migration (
    number integer primary key,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default clock_timestamp()
);

-- name: try_lock
-- One migrating process at a time; asked again and again, because waiting here can deadlock with its DDL.
select pg_try_advisory_lock(7701, 1);

-- name: limit_lock_wait
-- DDL that cannot have its lock soon gives up, so that appends never queue behind it.
set local lock_timeout = '3s';

-- name: applied
-- What was applied so far.
select number, name, sha256
from fastflow.migration
order by number;

-- name: record
-- Writes down that a migration was applied.
insert into fastflow.migration (number, name, sha256)
values ($1, $2, $3);
