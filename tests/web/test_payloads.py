"""Hostile text through every door: nothing of it becomes an element, an attribute or a link of ours."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import quote

import jinja2
import msgspec

from events import pipeline as pipelines
from events import run as runs
from events.pipeline import PipelineBroken, PipelineDefined, Problem
from events.run import AttemptBegun, CancelRequested, LogGapDeclared, Progressed, RunFailed, StepEntered
from events.system import ENGINE, EngineConnected, EngineLost
from tests.web.conftest import SNAPSHOT, House
from web.render import FOLDER, Pages

PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)' autofocus='",
    "` onload=alert(1) `",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example/x",
    "<a href=javascript:alert(1)>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<base href=//evil.example/>",
    "<form action=//evil.example><input type=submit>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example>",
    "<style>*{display:none}</style>",
    "<!--", "-->", "<![CDATA[", "]]>", "<?xml?>", "</title>", "</textarea>", "</pre>", "</svg>", "</code>",
    "{{ 7 * 7 }}", "{% raw %}", "{{ ''.__class__ }}", "${7*7}", "#{7*7}",
    "&lt;b&gt;", "&#x3c;script&#x3e;", "&amp;amp;",
    "\u202egnp.exe", "\u2066\u2069", "\u200b\ufeff", "\ufffe",
    "\u2028\u2029", "\r\nSet-Cookie: a=b", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x07\x08\x7f\x80\x9b",
    "hx-get=/x hx-trigger=load", '" hx-get="/evil" hx-trigger="load', "'; drop table event; --",
    '{"a": 1}', "[]", "null", "\\u003cscript\\u003e", "%3Cscript%3E", "%00", "..%2f..", "x" * 20_000,
]  # fmt: skip

BENIGN = "benign"


class Shape(HTMLParser):
    """The tags of a page with their attributes' names, and its links."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = tuple(name for name, _ in attrs)
        self.tags.append((tag, names))
        assert not [name for name in names if name.startswith("on") or name == "style"], (tag, attrs)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "hx-get")]


async def visited(house: House, text: str, name: str) -> dict[str, str]:
    """Every page, after `text` came in by every door."""
    problem = Problem(file=text, message=text, line=1, field=text)
    warning = msgspec.structs.replace(problem, severity="warning")
    await house.tell(ENGINE, EngineConnected(engine_version=text, image=text, image_digest=None))
    await house.tell(ENGINE, EngineLost(detail=text))
    defined = PipelineDefined(
        snapshot=SNAPSHOT,
        form="folder",
        entry=text,
        source=f"{text}\nprint({text!r})  # {text}\n",
        configuration={text: text},
        description=text,
        tags=(text,),
        requirements=(text,),
        python_version=text,
        env={text: text},
        warnings=(warning,),
    )
    await house.tell(pipelines.stream(name), defined)
    await house.tell(pipelines.stream(name), PipelineBroken(problems=(problem,)))
    running = await house.requested(name, entry=text, requirements=(text,), env={text: text})
    await house.tell(
        runs.stream(running),
        AttemptBegun(attempt=1, container=text),
        StepEntered(attempt=1, name=text),
        Progressed(attempt=1, done=1, total=2, text=text),
        LogGapDeclared(attempt=1, cause="size_cap", after_line=1, lines=1),
        CancelRequested(by=text),
        actor=text,
    )
    await house.printed(running, text.encode().replace(b"\n", b""))
    failed = await house.requested(name, entry=text)
    await house.tell(runs.stream(failed), RunFailed(attempt=0, reason="engine_error", detail=text))
    quoted = quote(name, safe="")
    paths = ["/", "/pipelines", f"/pipelines/{quoted}", "/runs", f"/runs?q={quote(text[:200])}"]
    paths += [
        f"/runs/{running}",
        f"/runs/{failed}",
        f"/runs/{running}/logs",
        "/pipelines/" + quote(text[:100], safe=""),
    ]
    pages = {}
    for number, path in enumerate(paths):
        answer = await house.client.get(path, headers={"accept": "text/html"})
        assert answer.status_code in (200, 400, 404), path
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        pages[f"{number} {answer.status_code}"] = answer.text
    return pages


async def test_no_payload_adds_an_element_or_an_attribute(house: House) -> None:
    expected = {key: Shape(page) for key, page in (await visited(house, BENIGN, BENIGN)).items()}
    known = {tag for shape in expected.values() for tag in shape.tags}
    for payload in PAYLOADS:
        text = payload.replace("\0", "")
        for key, page in (await visited(house, text, BENIGN)).items():
            shape = Shape(page)
            strange = [tag for tag in shape.tags if tag not in known and not plain(tag)]
            assert strange == [], (payload, key)
            for link in shape.links:
                assert re.match(r"/(?![/\\])|#|$", link), (payload, link)


def plain(tag: tuple[str, tuple[str, ...]]) -> bool:
    """The shapes that only other words of ours bring: coloured source, code in backticks, errors, a pager."""
    return tag in {
        ("section", ("class",)),
        ("span", ("class",)),
        ("code", ()),
        ("h3", ()),
        ("h1", ()),
        ("p", ("class",)),
        ("p", ()),
        ("span", ()),
        ("nav", ("class", "aria-label")),
        ("a", ("class", "href", "rel")),
    }


async def test_a_pipeline_may_have_a_strange_name(house: House) -> None:
    for name in (
        "a b",
        "a'b",
        'a"b',
        "a&b=c",
        "a?b#c",
        "<b>",
        "ä",
        "a+b",
        "a%20b",
        "[x]",
        "a,b",
        "🚀",
        "...",
    ):
        await house.tell(pipelines.stream(name), PipelineBroken(problems=()))
        await house.pipeline(name, entry="x.py")
        page = await house.client.get("/pipelines/" + quote(name, safe=""))
        assert page.status_code == 200, name
        Shape(page.text)
        answer = await house.client.post(f"/api/pipelines/{quote(name, safe='')}/run")
        assert answer.status_code == 202, name
        assert answer.json()["pipeline"] == name
        listed = Shape((await house.client.get("/pipelines")).text)
        assert f"/pipelines/{quote(name, safe='')}/run" in listed.links, name


async def test_the_stream_of_a_log_holds_no_line_break_of_its_own(house: House) -> None:
    await house.pipeline()
    run = await house.done("sales", *(p.encode().replace(b"\n", b"") for p in PAYLOADS), b"\xff\x00\r\n"[:3])
    answer = await house.client.get(f"/api/runs/{run}/logs/stream?all=1")
    blocks = answer.content.decode().split("\n\n")
    assert all(re.fullmatch(r"(retry: \d+|(event: \w+\n)?(id: \d+\n)?data: .+|)", block) for block in blocks)
    assert "\x1b" not in answer.text
    assert "\r" not in answer.text


async def test_everything_is_escaped_and_nothing_undefined_passes() -> None:
    environment = Pages().environment
    assert environment.autoescape is True
    assert environment.undefined is jinja2.StrictUndefined
    for template in FOLDER.rglob("*.html"):
        text = template.read_text()
        assert "|safe" not in text.replace(" ", ""), template.name
        assert "Markup" not in text
        assert not re.search(r"\son[a-z]+=|\sstyle=|javascript:", text), template.name
        assert "<script" not in re.sub(r"<script src=[^>]*></script>", "", text), template.name
