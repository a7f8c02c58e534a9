"""Which distribution this is, and where it gets its packages."""

from __future__ import annotations

import pytest

from fastflow.machine.distribution import PUBLIC_MIRROR, is_debian, mirror

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'
UBUNTU = "NAME=Ubuntu\nID=ubuntu\nID_LIKE=debian\n"
MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\n'

PARAGRAPHS = """\
Types: deb
# a comment
URIs: https://packages.example/node
Suites: nodistro
Components: main

Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


@pytest.mark.parametrize("text", [DEBIAN, UBUNTU, MINT, "ID='debian'"])
def test_debian_and_its_children_are_known(text: str) -> None:
    assert is_debian(text)


@pytest.mark.parametrize("text", ["", "ID=fedora\n", 'ID=alpine\nID_LIKE=""', "ID=notdebian"])
def test_others_are_not(text: str) -> None:
    assert not is_debian(text)


@pytest.mark.parametrize(
    "sources",
    [
        PARAGRAPHS,
        "deb http://mirror.example/debian bookworm main\n",
        "# deb http://old.example/debian bookworm main\ndeb http://mirror.example/debian trixie main",
        "deb [arch=amd64 signed-by=/k] http://mirror.example/debian bookworm main contrib",
        "deb http://x.example/security bookworm-security main\ndeb http://mirror.example/debian stable main",
        "deb cdrom:[Debian]/ bookworm main\ndeb http://mirror.example/debian bookworm main",
        "deb tor+http://x.example/debian bookworm main\ndeb http://mirror.example/debian/ bookworm main",
    ],
)
def test_the_machines_own_mirror_is_used(sources: str) -> None:
    assert mirror(["", sources], DEBIAN) == "http://mirror.example/debian"


@pytest.mark.parametrize(
    "sources", ["", "deb\n", "deb http://x.example bookworm\n", "Types: deb\nURIs:\n", "::"]
)
def test_without_one_it_is_the_public_mirror(sources: str) -> None:
    assert mirror([sources], DEBIAN) == PUBLIC_MIRROR


def test_another_distributions_mirror_has_no_debian() -> None:
    assert mirror([PARAGRAPHS], UBUNTU) == PUBLIC_MIRROR
