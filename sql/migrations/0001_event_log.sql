-- The event log: streams, events in two lanes, followers, leases, and the functions that append.
--
-- Positions are given out under one transaction-level advisory lock, (7701, 0), so they are in commit order
-- and "position > checkpoint" is all a follower needs. The sequence `head` moves before its events are
-- visible: a reader must never take it for "everything up to here is readable".

create schema read;

create table fastflow.installation (
    id uuid not null default gen_random_uuid(),
    created_at timestamptz not null default clock_timestamp(),
    -- touched to make everything before it durable
    synced_at timestamptz,
    singleton boolean primary key default true check (singleton)
);
insert into fastflow.installation default values;

create table fastflow.stream (
    -- the position of its first event
    stream_id bigint primary key,
    -- of its last event; in the log lane: the number of its last line
    version bigint not null,
    last_position bigint not null,
    category text not null,
    key text not null,
    unique (category, key)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

create table fastflow.event (
    position bigint not null,
    stream_id bigint not null,
    version bigint not null,
    recorded_at timestamptz not null,
    event_id uuid,
    lane smallint not null,
    schema_v smallint not null,
    type text not null,
    data jsonb not null,
    meta jsonb not null,
    payload bytea,
    primary key (lane, position)
) partition by list (lane);

-- chunks come compressed; the server must not try again
alter table fastflow.event
    alter column payload set storage external;

create table fastflow.event_control
    partition of fastflow.event for values in (0)
    with (
        autovacuum_vacuum_insert_scale_factor = 0,
        autovacuum_vacuum_insert_threshold = 200000,
        autovacuum_freeze_min_age = 0
    );
alter table fastflow.event_control
    alter column event_id set not null,
    add check (payload is null);
create unique index event_control_stream on fastflow.event_control (stream_id, version);
create unique index event_control_event_id on fastflow.event_control (event_id);

create table fastflow.event_log
    partition of fastflow.event for values in (1)
    partition by range (position);
alter table fastflow.event_log
    add check (payload is not null);
create index event_log_stream on fastflow.event_log (stream_id, version);

create sequence fastflow.head minvalue 0 start 0;
select setval('fastflow.head', 0);

create table fastflow.follower (
    name text primary key,
    position bigint not null default 0,
    updated_at timestamptz not null default clock_timestamp(),
    error text
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

create table fastflow.lease (
    name text primary key,
    owner text not null,
    epoch bigint not null,
    until timestamptz not null,
    -- the holder's session: when it is gone, a successor need not wait for `until`
    session_pid integer not null,
    session_start timestamptz not null
) with (fillfactor = 50);


create function fastflow.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'events are never changed or deleted' using errcode = 'insufficient_privilege';
end $$;

create trigger event_unchanged
    before update or delete on fastflow.event
    for each row execute function fastflow.refuse_change();
create trigger event_kept
    before truncate on fastflow.event
    for each statement execute function fastflow.refuse_change();
create trigger event_kept
    before truncate on fastflow.event_control
    for each statement execute function fastflow.refuse_change();
create trigger event_kept
    before truncate on fastflow.event_log
    for each statement execute function fastflow.refuse_change();


-- Takes the lock that puts every append and every takeover of a lease in one order.
create function fastflow.take_turn() returns void language plpgsql as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'appending needs READ COMMITTED' using errcode = 'invalid_transaction_state';
    end if;
    perform pg_advisory_xact_lock(7701, 0);
end $$;


-- Appends to control streams. A request is one stream's events, appended together or not at all.
-- The first arrays have one element per request, the others one per event, `requests` naming its request
-- counted from 1, in order. The caller never puts two requests for one stream in one call.
create function fastflow.append(
    categories text[],
    keys text[],
    expecteds bigint[],
    metas text[],
    leases text[],
    epochs bigint[],
    requests integer[],
    types text[],
    schema_versions smallint[],
    event_ids uuid[],
    datas text[]
) returns table (request integer, status text, "position" bigint, version bigint)
language plpgsql
-- a plan made while the tables were small is kept while they grow
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    head_before bigint;
    now_at timestamptz;
begin
    -- its own statement: everything below sees a snapshot younger than the lock
    perform fastflow.take_turn();
    select last_value into head_before from fastflow.head;
    now_at := clock_timestamp();

    return query
    with offered as materialized (
        select *
        from unnest(requests, types, schema_versions, event_ids, datas)
            with ordinality as offered (request, type, schema_v, event_id, data, place)
    ), stored as materialized (
        select
            offered.request,
            count(*) as events,
            count(event.position) as stored_events,
            min(event.stream_id) as stream_low,
            max(event.stream_id) as stream_high,
            max(event.position) as position,
            max(event.version) as version
        from offered
        left join fastflow.event_control as event on event.event_id = offered.event_id
        group by offered.request
    ), verdict as materialized (
        select
            asked.request,
            asked.category,
            asked.key,
            asked.meta,
            stream.stream_id,
            coalesce(stream.version, 0) as version,
            stored.position as stored_position,
            stored.version as stored_version,
            case
                when stored.stored_events = stored.events
                    and stored.stream_low = stream.stream_id
                    and stored.stream_high = stream.stream_id then 'duplicate'
                when stored.stored_events > 0 then 'conflict'
                when asked.lease is not null and lease.epoch is distinct from asked.epoch then 'fenced'
                when asked.expected <> coalesce(stream.version, 0) then 'conflict'
                else 'appended'
            end as status
        from unnest(categories, keys, expecteds, metas, leases, epochs)
            with ordinality as asked (category, key, expected, meta, lease, epoch, request)
        join stored on stored.request = asked.request
        left join fastflow.stream on stream.category = asked.category and stream.key = asked.key
        left join fastflow.lease on lease.name = asked.lease
    ), accepted as materialized (
        select
            offered.*,
            verdict.category,
            verdict.key,
            verdict.meta,
            verdict.version,
            verdict.stream_id,
            head_before + row_number() over (order by offered.place) as position,
            row_number() over (partition by offered.request order by offered.place) as nth
        from offered
        join verdict on verdict.request = offered.request
        where verdict.status = 'appended'
    ), inserted as (
        insert into fastflow.event_control
            (position, stream_id, version, recorded_at, event_id, lane, schema_v, type, data, meta)
        select
            position,
            coalesce(stream_id, position - nth + 1),
            version + nth,
            now_at,
            event_id,
            0,
            schema_v,
            type,
            data::jsonb,
            meta::jsonb
        from accepted
        order by position
    ), ended as materialized (
        select
            request,
            category,
            key,
            stream_id,
            min(position) as first_position,
            max(position) as position,
            max(version + nth) as version
        from accepted
        group by request, category, key, stream_id
    ), born as (
        insert into fastflow.stream (stream_id, version, last_position, category, key)
        select first_position, version, position, category, key
        from ended
        where stream_id is null
    ), raised as (
        update fastflow.stream
        set version = ended.version,
            last_position = ended.position
        from ended
        where stream.stream_id = ended.stream_id
    ), moved as (
        select setval('fastflow.head', max(position)) as head
        from accepted
        having count(*) > 0
    )
    select
        verdict.request::integer,
        verdict.status,
        coalesce(ended.position, verdict.stored_position),
        coalesce(ended.version, case verdict.status when 'duplicate' then verdict.stored_version else verdict.version end)
    from verdict
    left join ended on ended.request = verdict.request
    -- reading `moved` is what makes it happen
    cross join (select count(head) from moved) as done;
end $$;


-- Appends chunks of logs; each array has one element per chunk. A chunk must begin right after its stream's
-- last line, or after the chunk of the same stream before it in this call.
create function fastflow.append_log(
    keys text[],
    first_lines bigint[],
    last_lines bigint[],
    heads text[],
    payloads bytea[],
    leases text[],
    epochs bigint[]
) returns table (request integer, status text, "position" bigint, version bigint)
language plpgsql
-- a plan made while the tables were small is kept while they grow
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    head_before bigint;
    now_at timestamptz;
begin
    perform fastflow.take_turn();
    select last_value into head_before from fastflow.head;
    now_at := clock_timestamp();

    return query
    with asked as materialized (
        select
            asked.*,
            stream.stream_id,
            coalesce(stream.version, 0) as stream_version,
            stream.last_position as stored_position,
            asked.lease is not null and lease.epoch is distinct from asked.epoch as fenced,
            asked.last_line <= coalesce(stream.version, 0) as stored
        from unnest(keys, first_lines, last_lines, heads, payloads, leases, epochs)
            with ordinality as asked (key, first_line, last_line, head, payload, lease, epoch, request)
        left join fastflow.stream on stream.category = 'log' and stream.key = asked.key
        left join fastflow.lease on lease.name = asked.lease
    ), linked as materialized (
        select
            asked.request,
            not asked.fenced
                and asked.first_line <= asked.last_line
                and asked.first_line = 1 + coalesce(
                    lag(asked.last_line) over (partition by asked.key order by asked.request),
                    asked.stream_version
                ) as follows
        from asked
        where not asked.stored
    ), verdict as materialized (
        select
            asked.*,
            case
                when asked.stored then 'duplicate'
                when asked.fenced then 'fenced'
                when bool_and(linked.follows) over (partition by asked.key order by asked.request) then 'appended'
                else 'conflict'
            end as status
        from asked
        left join linked on linked.request = asked.request
    ), accepted as materialized (
        select
            verdict.*,
            head_before + row_number() over (order by verdict.request) as position
        from verdict
        where verdict.status = 'appended'
    ), placed as materialized (
        select
            accepted.*,
            coalesce(stream_id, min(position) over (partition by key)) as home
        from accepted
    ), inserted as (
        insert into fastflow.event_log
            (position, stream_id, version, recorded_at, lane, schema_v, type, data, meta, payload)
        select
            position,
            home,
            last_line,
            now_at,
            1,
            1,
            'log.chunk',
            jsonb_build_object('first', first_line) || head::jsonb,
            '{}',
            payload
        from placed
        order by position
    ), ended as materialized (
        select key, stream_id, home, max(last_line) as version, max(position) as position
        from placed
        group by key, stream_id, home
    ), born as (
        insert into fastflow.stream (stream_id, version, last_position, category, key)
        select home, version, position, 'log', key
        from ended
        where stream_id is null
    ), raised as (
        update fastflow.stream
        set version = ended.version,
            last_position = ended.position
        from ended
        where stream.stream_id = ended.stream_id
    ), moved as (
        select setval('fastflow.head', max(position)) as head
        from accepted
        having count(*) > 0
    )
    select
        verdict.request::integer,
        verdict.status,
        coalesce(accepted.position, verdict.stored_position),
        case verdict.status when 'appended' then verdict.last_line else verdict.stream_version end
    from verdict
    left join accepted on accepted.request = verdict.request
    cross join (select count(head) from moved) as done;
end $$;


-- Takes a lease nobody holds, raising its epoch. Under the appenders' lock, so that no event of the old
-- epoch follows. `ignore_until` takes it from a holder whose session is gone.
create function fastflow.take_lease(
    lease_name text,
    new_owner text,
    ttl interval,
    ignore_until boolean
) returns table (epoch bigint, holder_gone boolean)
language plpgsql as $$
#variable_conflict use_column
declare
    held fastflow.lease%rowtype;
    gone boolean := false;
    my_start timestamptz := (select backend_start from pg_stat_activity where pid = pg_backend_pid());
begin
    perform fastflow.take_turn();

    select * into held from fastflow.lease where name = lease_name;
    if found then
        gone := not exists (
            select from pg_stat_activity
            where pid = held.session_pid
                and coalesce(backend_start, held.session_start) = held.session_start
        );
        if held.until > clock_timestamp() and not (gone and ignore_until) then
            return query select null::bigint, gone;
            return;
        end if;
    end if;

    return query
    insert into fastflow.lease as lease (name, owner, epoch, until, session_pid, session_start)
    values (lease_name, new_owner, 1, clock_timestamp() + ttl, pg_backend_pid(), my_start)
    on conflict (name) do update
        set owner = excluded.owner,
            epoch = lease.epoch + 1,
            until = excluded.until,
            session_pid = excluded.session_pid,
            session_start = excluded.session_start
    returning lease.epoch, gone;
end $$;


-- Fails when the disk has no room for a little more; leaves nothing behind.
create function fastflow.probe_storage() returns void language plpgsql as $$
begin
    create temporary table space_probe on commit drop as
    select number from generate_series(1, 20000) as number;
end $$;


-- Adds one partition to the log lane unless `ahead` of them are empty above the head; says which it added.
create function fastflow.add_log_partition(step bigint, ahead integer) returns text language plpgsql as $$
declare
    head_now bigint;
    top bigint;
    partition_name text;
begin
    -- one process at a time is enough
    if not pg_try_advisory_xact_lock(7701, 2) then
        return null;
    end if;
    select last_value into head_now from fastflow.head;
    select coalesce(max((regexp_match(pg_get_expr(class.relpartbound, class.oid), 'TO \(''?(\d+)''?\)'))[1]::bigint), 0)
    into top
    from pg_inherits
    join pg_class as class on class.oid = pg_inherits.inhrelid
    where pg_inherits.inhparent = 'fastflow.event_log'::regclass;

    if top > head_now + step * ahead then
        return null;
    end if;
    -- what lies below the head needs no place any more
    top := greatest(top, head_now / step * step);

    partition_name := format('event_log_%s', lpad(top::text, 19, '0'));
    -- attaching takes a weaker lock on the parent than creating it as a partition
    execute format(
        'create table fastflow.%I (
            like fastflow.event_log including defaults including constraints including storage
        ) with (
            autovacuum_vacuum_insert_scale_factor = 0,
            autovacuum_vacuum_insert_threshold = 200000,
            autovacuum_freeze_min_age = 0
        )',
        partition_name
    );
    execute format(
        'create trigger event_kept
            before truncate on fastflow.%I
            for each statement execute function fastflow.refuse_change()',
        partition_name
    );
    execute format(
        'alter table fastflow.event_log attach partition fastflow.%I for values from (%s) to (%s)',
        partition_name, top, top + step
    );
    return partition_name;
end $$;

select fastflow.add_log_partition(1000000, 4) from generate_series(1, 5);
