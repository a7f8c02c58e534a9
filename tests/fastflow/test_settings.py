"""Settings: defaults, what is read, and the one line that stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastflow import settings
from fastflow.settings import SettingsRefused, read

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


def test_everything_has_a_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    known = read({"HOME": "/home/ada"})
    assert known.pipelines_dir == tmp_path / "pipelines"
    assert known.data_dir == Path("/home/ada/.local/share/fastflow")
    assert known.logs_dir == known.data_dir / "logs"
    assert known.uv_cache_dir is None
    assert (known.host, known.port, known.fastflow_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert (known.max_concurrent_runs, known.container_timeout, known.retry_attempts) == (10, None, 0)
    assert (known.worker_base_image, known.git_branch) == ("fastflow-worker:3.11", "main")
    assert (known.log_stream_rate_limit, known.log_level) == (100, "info")
    assert known.database_url is None


def test_the_data_folder_follows_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert read({"XDG_DATA_HOME": "/x"}).data_dir == Path("/var/lib/fastflow")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert read({"XDG_DATA_HOME": "/x"}).data_dir == Path("/x/fastflow")
    assert read({"XDG_DATA_HOME": "x", "HOME": "/h"}).data_dir == Path("/h/.local/share/fastflow")


def test_the_examples_are_shown_until_there_is_a_pipelines_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").mkdir()
    assert read({}).pipelines_dir == tmp_path / "examples"
    (tmp_path / "pipelines").mkdir()
    assert read({}).pipelines_dir == tmp_path / "pipelines"


def test_values_are_read(tmp_path: Path) -> None:
    known = read(
        {
            "DATABASE_URL": "postgresql+asyncpg://ada:pw@db/flow",
            "DATA_DIR": str(tmp_path),
            "MAX_CONCURRENT_RUNS": "3",
            "CONTAINER_TIMEOUT": "0",
            "LOG_RETENTION_DAYS": " 30 ",
            "UV_PRE_HEAT": "no",
            "ENCRYPTION_KEY": f"{KEY}, {OTHER_KEY}",
            "HOST": "[::1]",
            "PORT": "9000",
            "LOG_LEVEL": "WARN",
            "LOGS_DIR": "",
        }
    )
    assert known.database_url == "postgresql://ada:pw@db/flow"
    assert known.logs_dir == tmp_path / "logs"
    assert (known.max_concurrent_runs, known.container_timeout, known.log_retention_days) == (3, None, 30)
    assert not known.uv_pre_heat
    assert known.encryption_key == (KEY, OTHER_KEY)
    assert (known.host, known.port, known.fastflow_url) == ("::1", 9000, "http://[::1]:9000")
    assert known.log_level == "warning"
    assert read({"FASTFLOW_URL": "https://flow.example/"}).fastflow_url == "https://flow.example"


def test_a_field_is_an_environment_variable_and_the_other_way_round() -> None:
    fields = {name.upper() for name in settings.Settings.__struct_fields__}
    assert fields == set(settings._PARSERS)


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        (
            {"MAX_CONCURENT_RUNS": "5"},
            "MAX_CONCURENT_RUNS is not a setting; did you mean MAX_CONCURRENT_RUNS?",
        ),
        (
            {"max_concurrent_runs": "5"},
            "max_concurrent_runs is not a setting; did you mean MAX_CONCURRENT_RUNS?",
        ),
        ({"PIPELINE_DIR": "/p"}, "PIPELINE_DIR is not a setting; did you mean PIPELINES_DIR?"),
        ({"LOGLEVEL": "debug"}, "LOGLEVEL is not a setting; did you mean LOG_LEVEL?"),
        ({"UV_PREHEAT": "1"}, "UV_PREHEAT is not a setting; did you mean UV_PRE_HEAT?"),
        ({"DATABSE_URL": "x"}, "DATABSE_URL is not a setting; did you mean DATABASE_URL?"),
        ({"DOCKER_HSOT": "x"}, "DOCKER_HSOT is not a setting; did you mean DOCKER_HOST?"),
        (
            {"ENCRYPTION_KEYS_FILE": "x"},
            "ENCRYPTION_KEYS_FILE is not a setting; did you mean ENCRYPTION_KEY_FILE?",
        ),
        ({"FASTFLOW_PORT": "80"}, "FASTFLOW_PORT is not a setting; did you mean PORT?"),
        ({"FASTFLOW_ULR": "x"}, "FASTFLOW_ULR is not a setting; did you mean FASTFLOW_URL?"),
        ({"PORT": "abc"}, "PORT=abc is not a whole number between 1 and 65535"),
        ({"PORT": "0"}, "PORT=0 is not a whole number between 1 and 65535"),
        ({"PORT": "8000\n8001"}, "PORT=8000\\n8001 is not a whole number between 1 and 65535"),
        ({"PORT": "\uff18"}, "PORT=\uff18 is not a whole number between 1 and 65535"),
        ({"PORT": "9" * 5000}, f"PORT={'9' * 80}… is not a whole number between 1 and 65535"),
        ({"MAX_CONCURRENT_RUNS": "-1"}, "MAX_CONCURRENT_RUNS=-1 is not a whole number between 1 and 10000"),
        ({"UV_PRE_HEAT": "maybe"}, "UV_PRE_HEAT=maybe is neither true nor false"),
        (
            {"LOG_LEVEL": "loud"},
            "LOG_LEVEL=loud is not one of debug, info, warning, error, critical",
        ),
        (
            {"DATABASE_URL": "sqlite:///secret.db"},
            "DATABASE_URL is not the address of a PostgreSQL server; expected postgresql://user@host/name",
        ),
        (
            {"ENCRYPTION_KEY": f"{KEY},hunter2"},
            "ENCRYPTION_KEY holds as number 2 no Fernet key: 32 bytes in 44 characters of base64",
        ),
        ({"PIPELINES_DIR": __file__}, f"PIPELINES_DIR={__file__[:80]}… is not a folder"),
        (
            {"DOCKER_HOST": "ssh://x"},
            "DOCKER_HOST=ssh://x is not an engine's address; expected unix:///path or tcp://host:port",
        ),
        ({"FASTFLOW_URL": "flow"}, "FASTFLOW_URL=flow is not a web address; expected http://host:port"),
    ],
)
def test_what_cannot_be_meant_stops_the_start(environ: dict[str, str], line: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read(environ)
    assert str(refused.value).replace("…", "") == line.replace("…", "")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", "127.1"])  # noqa: S104
def test_an_address_others_could_reach_is_refused(host: str) -> None:
    with pytest.raises(SettingsRefused, match="there is no login yet"):
        read({"HOST": host})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "localhost", "LOCALHOST"])
def test_this_machines_own_addresses_are_taken(host: str) -> None:
    assert read({"HOST": host}).host == host.lower()


FOREIGN = """
    HOSTNAME HOSTTYPE HOME PATH PORTS SERVER_PORT host port LOGNAME MACHTYPE DATADIR_HOME LOG_FORMAT
    LOG_LEVEL_CONSOLE WLOG_LEVEL RUST_LOG_LEVEL NPM_CONFIG_LOGLEVEL DD_LOG_LEVEL GIT_DIR GIT_AUTHOR_NAME
    GIT_SSL_CAINFO GIT_COMMIT GIT_URL GIT_TRACE GIT_PAGER GIT_BASE_BRANCH GITHUB_ACTION GITHUB_API_URL
    GITHUB_RUN_ID GITHUB_ENV GITHUB_TOKEN GITHUB_CLIENT_ID DOCKER_CONFIG DOCKER_CONTEXT DOCKER_CERT_PATH
    DOCKER_TLS_VERIFY DOCKER_HOST_IP DOCKER_PORT DOCKER_BUILDKIT DATABASE_HOST DATABASE_NAME
    DATABASE_USER TEST_DATABASE_URL XDG_DATA_HOME XDG_DATA_DIRS UV_PYTHON UV_CACHE UV_NO_CACHE
    UV_TOOL_DIR UV_LINK_MODE UV_INDEX_URL UV_PYTHON_INSTALL_DIR AUTO_SYNC_ENABLED ENVIRONMENT
    JWT_SECRET_KEY SECRET_KEY API_KEY GIT_SYNC_TOKEN DEFAULT_PYTHON_VERSION PYTHONPATH LC_ALL PGDATA
    PGHOST FASTFLOW_SERVICE_HOST FASTFLOW_SERVICE_PORT FASTFLOW_PORT_8000_TCP FASTFLOW_TOKEN
""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", FOREIGN)
def test_other_programs_variables_are_left_alone(name: str) -> None:
    assert read({name: "x", "FASTFLOW_PORT": "tcp://10.0.0.7:8000"}).port == 8000


def test_a_secret_is_read_from_the_file_that_name_file_names(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert read({"ENCRYPTION_KEY_FILE": str(file)}).encryption_key == (KEY,)
    with pytest.raises(
        SettingsRefused, match="ENCRYPTION_KEY and ENCRYPTION_KEY_FILE are both set; keep one"
    ):
        read({"ENCRYPTION_KEY_FILE": str(file), "ENCRYPTION_KEY": KEY})
    file.write_text("\n")
    with pytest.raises(SettingsRefused, match="is an empty file"):
        read({"ENCRYPTION_KEY_FILE": str(file)})
    file.write_bytes(b"\xff")
    with pytest.raises(SettingsRefused, match="cannot be read: it is not UTF-8 text"):
        read({"ENCRYPTION_KEY_FILE": str(file)})
    with pytest.raises(SettingsRefused, match="cannot be read: No such file or directory"):
        read({"ENCRYPTION_KEY_FILE": str(tmp_path / "none")})


def test_secrets_are_never_shown() -> None:
    known = read(
        {
            "DATABASE_URL": "postgresql://ada:hunter2@db/x",
            "ENCRYPTION_KEY": KEY,
            "GIT_REPO_URL": "https://hunter2@h/r",
        }
    )
    assert "hunter2" not in repr(known) + str(known) + str(known.shown())
    assert KEY not in repr(known)
    assert "database_url=***" in repr(known)
    assert "database_url=None" in repr(read({}))
    assert "port=8000" in repr(known)
