-- The read models: what the pages show. Every row of them follows from the log and can be built again.
-- Columns that change often stay out of indexes, and the fill factor leaves room beside them.

-- How each read model was built; its checkpoint is the row of the same name in follower.
create table fastflow.projector (
    name text primary key,
    -- of the code that made its rows; 0 means they are still to be made
    version integer not null,
    -- raised whenever its table is replaced
    build bigint not null default 1
);

create table read.run_list (
    id text collate "C" primary key,
    position bigint not null,
    last_position bigint not null,
    requested_at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz,
    duration_ms bigint,
    lines bigint not null,
    attempt integer not null,
    exit_code integer,
    progress_done double precision,
    progress_total double precision,
    pipeline text collate "C" not null,
    status text collate "C" not null,
    reason text collate "C",
    trigger text not null,
    actor text not null,
    progress_text text not null
) with (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);

create unique index run_list_position on read.run_list (position);
create index run_list_requested_at on read.run_list (requested_at);
create index run_list_status on read.run_list (status, position);
create index run_list_reason on read.run_list (reason, position) where status in ('FAILED', 'CANCELLED');
create index run_list_pipeline on read.run_list (pipeline, position);
create index run_list_pipeline_status on read.run_list (pipeline, status, position);

create table read.run_detail (
    id text collate "C" primary key,
    -- a JSON document, read and written whole
    detail text not null
) with (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);

create table read.activity (
    minute timestamptz primary key,
    requested integer not null,
    succeeded integer not null,
    failed integer not null,
    cancelled integer not null
) with (fillfactor = 50);

create table read.pipeline_list (
    name text collate "C" primary key,
    position bigint not null,
    gone boolean not null,
    enabled boolean not null,
    defined_at timestamptz,
    updated_at timestamptz not null,
    cpu_limit double precision,
    memory_limit_bytes bigint,
    timeout_seconds double precision,
    stop_grace_seconds double precision not null,
    description text not null,
    form text,
    entry text,
    snapshot text,
    python_version text,
    network text not null,
    tags jsonb not null,
    requirements jsonb not null,
    env jsonb not null,
    problems jsonb not null,
    warnings jsonb not null,
    configuration jsonb not null,
    source text not null
) with (fillfactor = 80);

create table read.system_state (
    part text primary key,
    -- a JSON document, read and written whole
    state text not null
) with (fillfactor = 50);

-- Makes an empty table beside a read model, with its columns, settings and primary key; other indexes come after
-- loading.
create procedure fastflow.begin_rebuild(p_name text)
language plpgsql
as $$
declare
    beside text := 'rebuild_' || p_name;
    served regclass := format('read.%I', p_name)::regclass;
    settings text;
    key_name text;
    key_definition text;
begin
    execute format('drop schema if exists %I cascade', beside);
    execute format('create schema %I', beside);
    execute format('create table %I.%I (like %s including all excluding indexes)', beside, p_name, served);
    select array_to_string(reloptions, ', ') into settings from pg_class where oid = served;
    if settings is not null then
        execute format('alter table %I.%I set (%s)', beside, p_name, settings);
    end if;
    select conname, pg_get_constraintdef(oid) into strict key_name, key_definition
    from pg_constraint
    where conrelid = served and contype = 'p';
    execute format('alter table %I.%I add constraint %I %s', beside, p_name, key_name, key_definition);
end
$$;

-- Gives the table beside a read model the other indexes, by their own names.
create procedure fastflow.index_rebuild(p_name text)
language plpgsql
as $$
declare
    served regclass := format('read.%I', p_name)::regclass;
    definition text;
begin
    for definition in
        select pg_get_indexdef(indexrelid) from pg_index where indrelid = served and not indisprimary
    loop
        execute replace(definition, format(' ON read.%I ', p_name), format(' ON rebuild_%s.%I ', p_name, p_name));
    end loop;
    execute format('analyze rebuild_%s.%I', p_name, p_name);
end
$$;

-- Keeps everybody from a read model until the caller's transaction ends.
create procedure fastflow.close_read_model(p_name text)
language plpgsql
as $$
begin
    execute format('lock table read.%I in access exclusive mode', p_name);
end
$$;

-- Puts the table beside in the read model's place, within the caller's transaction.
create procedure fastflow.swap_rebuild(p_name text)
language plpgsql
as $$
begin
    execute format('drop table read.%I', p_name);
    execute format('alter table rebuild_%s.%I set schema read', p_name, p_name);
    execute format('drop schema rebuild_%s', p_name);
end
$$;

-- Forgets the table beside a read model.
create procedure fastflow.drop_rebuild(p_name text)
language plpgsql
as $$
begin
    execute format('drop schema if exists %I cascade', 'rebuild_' || p_name);
end
$$;
