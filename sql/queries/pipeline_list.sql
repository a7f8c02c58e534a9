-- name: load
-- The rows of these pipelines as JSON.
select name as key, to_json(pipeline_list)::text as row
from pipeline_list
where name = any($1);

-- name: save
-- Writes rows given as JSON; one text for all of them is what costs a program least.
insert into pipeline_list (
    name, position, gone, enabled, defined_at, updated_at, cpu_limit, memory_limit_bytes, timeout_seconds,
    stop_grace_seconds, description, form, entry, snapshot, python_version, network, tags, requirements, env,
    problems, warnings, configuration, source
)
select
    name, position, gone, enabled, defined_at, updated_at, cpu_limit, memory_limit_bytes, timeout_seconds,
    stop_grace_seconds, description, form, entry, snapshot, python_version, network, tags, requirements, env,
    problems, warnings, configuration, source
from json_populate_recordset(null::pipeline_list, $1)
on conflict (name) do update
set position = excluded.position,
    gone = excluded.gone,
    enabled = excluded.enabled,
    defined_at = excluded.defined_at,
    updated_at = excluded.updated_at,
    cpu_limit = excluded.cpu_limit,
    memory_limit_bytes = excluded.memory_limit_bytes,
    timeout_seconds = excluded.timeout_seconds,
    stop_grace_seconds = excluded.stop_grace_seconds,
    description = excluded.description,
    form = excluded.form,
    entry = excluded.entry,
    snapshot = excluded.snapshot,
    python_version = excluded.python_version,
    network = excluded.network,
    tags = excluded.tags,
    requirements = excluded.requirements,
    env = excluded.env,
    problems = excluded.problems,
    warnings = excluded.warnings,
    configuration = excluded.configuration,
    source = excluded.source;

-- name: summaries
-- Every pipeline that is there, without its source and configuration, as JSON, by name.
select json_build_object(
    'name', name, 'gone', gone, 'enabled', enabled, 'defined_at', defined_at, 'updated_at', updated_at,
    'description', description, 'form', form, 'snapshot', snapshot, 'tags', tags, 'problems', problems,
    'warnings', warnings
)::text as summary
from pipeline_list
where not gone
order by name;

-- name: names
-- The names of pipelines that are there.
select name
from pipeline_list
where not gone
order by name;
