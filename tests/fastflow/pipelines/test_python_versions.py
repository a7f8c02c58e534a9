"""Which Python a run gets."""

from __future__ import annotations

import pytest

from fastflow.pipelines.python_versions import allows, chosen, image_python


@pytest.mark.parametrize(
    ("image", "python"),
    [
        ("fastflow-worker:3.11", "3.11"),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", "3.12"),
        ("registry:5000/team/worker:2026.3.9-py3.13", "3.13"),
        ("python", "3.11"),
        ("worker:latest", "3.11"),
        ("worker:13.3.14", "3.11"),
        ("worker:3.12@sha256:3.9", "3.12"),
    ],
)
def test_the_image_name_tells_its_python(image: str, python: str) -> None:
    assert image_python(image) == python


@pytest.mark.parametrize(
    ("specifier", "version"),
    [
        (">=3.11", None),
        ("", None),
        (">=3.8,<4", None),
        (">=3.12", "3.12"),
        (">=3.12.4, <3.14", "3.12"),
        ("<3.11", "3.10"),
        ("~=3.9.1", "3.9"),
        ("~=3.10", None),
        ("==3.10.*", "3.10"),
        ("!=3.11.*", "3.12"),
        ("==3.13.2", "3.13"),
        (">3.11", None),
        ("<=3.11", None),
    ],
)
def test_the_nearest_version_allowed_is_chosen(specifier: str, version: str | None) -> None:
    assert chosen(specifier, "3.11") == version


@pytest.mark.parametrize(
    "specifier", ["3.11", ">=4", "<3", ">=three", ">=3.*", "~=3", ">=3.12,<3.12", "==3.11.99"]
)
def test_what_allows_nothing_is_refused(specifier: str) -> None:
    with pytest.raises(ValueError, match=r"3|4"):
        chosen(specifier, "3.11")


def test_a_patch_is_compared_when_it_is_given() -> None:
    assert allows(">=3.12.4", "3.12")
    assert allows(">=3.12.4", "3.12.4")
    assert not allows(">=3.12.4", "3.12.3")
