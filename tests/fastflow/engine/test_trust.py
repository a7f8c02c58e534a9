"""Containers are told what this machine trusts; passwords are written nowhere."""

from __future__ import annotations

from pathlib import Path

from fastflow.engine import STDERR, STDOUT, Mount
from fastflow.engine.output import Output
from fastflow.engine.trust import CERTIFICATES, Trust, trust, without_password


def test_a_machine_that_says_nothing_tells_nothing() -> None:
    assert trust({"PATH": "/bin", "UV_CACHE_DIR": "/cache"}) == Trust({}, ())


def test_the_certificate_file_is_shown_where_programs_look(tmp_path: Path) -> None:
    file = tmp_path / "company.pem"
    file.touch()
    link = tmp_path / "link.pem"
    link.symlink_to(file)
    told = trust({"SSL_CERT_FILE": str(link)})
    assert told.mounts == (Mount(str(file), CERTIFICATES, read_only=True),)
    assert told.env == dict.fromkeys(
        ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"), CERTIFICATES
    )
    assert trust({"SSL_CERT_FILE": str(tmp_path / "nothing.pem")}) == Trust({}, ())


def test_the_proxy_is_told_in_both_spellings() -> None:
    told = trust({"https_proxy": "http://proxy:3128", "NO_PROXY": "localhost", "HTTP_PROXY": ""})
    assert told.env == {
        "HTTPS_PROXY": "http://proxy:3128",
        "https_proxy": "http://proxy:3128",
        "NO_PROXY": "localhost",
        "no_proxy": "localhost",
    }


def test_the_index_is_told_in_the_words_of_uv_and_pip() -> None:
    assert trust({"PIP_INDEX_URL": "https://a/simple", "UV_INDEX_URL": "https://b/simple"}).env == {
        "UV_DEFAULT_INDEX": "https://b/simple",
        "PIP_INDEX_URL": "https://b/simple",
    }
    assert trust({"PIP_EXTRA_INDEX_URL": "https://c/simple"}).env == {"UV_INDEX": "https://c/simple"}


def test_the_user_part_of_every_address_is_starred_out() -> None:
    text = "from https://me:p%40ss@example.org/simple and git+ssh://git@host/x, not a@b or https://example.org/@x"
    assert without_password(text) == (
        "from https://***@example.org/simple and git+ssh://***@host/x, not a@b or https://example.org/@x"
    )


def test_output_is_shown_once_though_the_log_is_read_twice() -> None:
    shown: list[bytes] = []
    output = Output(shown.append)
    pieces = [(STDERR, 1, b"one\n"), (STDOUT, 1, b"two\n"), (STDERR, 2, b"thr"), (STDERR, 3, b"ee\n")]
    output.take(pieces[:2])
    output.again()
    output.take(pieces)
    output.take([(STDERR, 4, b"\x1b[1;31merror\x1b[0m: https://me:x@h/ \xff\x00")])
    assert shown == [b"one", b"two", b"three"]
    output.finish()
    unreadable = "\N{REPLACEMENT CHARACTER}" * 2
    assert output.lines(STDERR) == ["one", "three", f"error: https://***@h/ {unreadable}"]
    assert output.lines(STDOUT) == ["two"]


def test_output_without_an_end_is_bounded() -> None:
    output = Output(None)
    for _ in range(1_000):
        output.take([(STDERR, 1, b"x" * 16_384)])
    output.take([(STDERR, 1, b"\n"), *[(STDERR, 1, b"line\n")] * 1_000])
    assert len(output.lines(STDERR)) == 200
    output = Output(None)
    output.take([(STDERR, 1, b"x" * 16_384), (STDERR, 1, b"\n")])
    assert [len(line) for line in output.lines(STDERR)] == [2_000]
