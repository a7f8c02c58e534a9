"""How an event becomes the columns `type`, `schema_v` and `data` of the log, and comes back."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, get_args

import msgspec

from events import pipeline, run, system
from events.base import Event, Metadata
from events.errors import UnknownEvent

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes the data of one version and returns the data of the next; pure."""

EVENTS: Mapping[str, type[Event]] = {
    kind.type_name(): kind
    for union in (run.RunEvent, pipeline.PipelineEvent, system.SystemEvent)
    for kind in get_args(union)
}
"""Every type of event this release knows, by its stored name."""

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}
"""By type and the version they take: `("run.requested", 1)` turns data of version 1 into version 2."""

_ENCODER = msgspec.json.Encoder()
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in EVENTS.items()}
_META_DECODER = msgspec.json.Decoder(Metadata)
_TAGS = {kind: f'{{"type":"{name}"'.encode() for name, kind in EVENTS.items()}
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def encode(event: Event) -> tuple[str, int, str]:
    """(type, schema_v, data as JSON text); raises ValueError for NaN, infinity and unregistered types.

    What PostgreSQL cannot keep in text (NUL, a lone surrogate) becomes U+FFFD.
    """
    kind = type(event)
    tag = _TAGS.get(kind)
    if tag is None:
        message = f"{kind.__name__} is not registered in events.codec"
        raise ValueError(message)
    try:
        data = _ENCODER.encode(event)
    except UnicodeEncodeError:
        data = b"\\u0000"
    if b"null" in data:
        # msgspec writes NaN as null
        _refuse_nan(event)
    if b"\\u0000" in data:
        data = _ENCODER.encode(_clean(msgspec.to_builtins(event)))
    rest = data[len(tag) :]
    return kind.type_name(), kind.schema_v, (b"{" + rest.removeprefix(b",")).decode()


def decode(type_name: str, schema_v: int, data: str) -> Event:
    """The event of a stored row, raised to the present version; raises UnknownEvent."""
    kind = EVENTS.get(type_name)
    if kind is None:
        raise UnknownEvent(f"This release does not know events of type {type_name}.")
    if schema_v != kind.schema_v:
        document = upcast(decode_document(data), type_name, schema_v, kind.schema_v)
        data = _ENCODER.encode(document).decode()
    try:
        return _DECODERS[type_name].decode(data)
    except msgspec.MsgspecError as error:
        raise UnknownEvent(f"An event {type_name} of version {schema_v} cannot be read: {error}") from error


def encode_meta(meta: Metadata) -> str:
    """The column `meta`; raises ValueError."""
    try:
        text = _ENCODER.encode(meta)
    except UnicodeEncodeError:
        text = b"\\u0000"
    if b"\\u0000" in text:
        text = _ENCODER.encode(_clean(msgspec.to_builtins(meta)))
    return text.decode()


@functools.lru_cache(maxsize=4096)
def decode_meta(text: str) -> Metadata:
    """The metadata of a stored row; most rows share a few."""
    return _META_DECODER.decode(text)


def encode_head(head: Mapping[str, Any]) -> str:
    """The column `data` of a log chunk; raises ValueError."""
    _refuse_nan(head)
    return _ENCODER.encode(_clean(dict(head))).decode()


def decode_document(text: str) -> dict[str, Any]:
    """Any stored JSON object as it is."""
    return msgspec.json.decode(text, type=dict[str, Any])


def upcast(
    document: dict[str, Any],
    type_name: str,
    stored: int,
    present: int,
    upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> dict[str, Any]:
    """Stored data raised, version by version, to the present one; raises UnknownEvent."""
    steps = [upcasters.get((type_name, version)) for version in range(stored, present)]
    if stored > present or None in steps:
        raise UnknownEvent(
            f"This release does not know version {stored} of {type_name}; it writes {present}."
        )
    for step in steps:
        document = step(document) if step else document
    return document


def _refuse_nan(value: Any) -> None:
    match value:
        case float() if not math.isfinite(value):
            message = f"{value} cannot be stored: it is not a number"
            raise ValueError(message)
        case msgspec.Struct():
            for name in value.__struct_fields__:
                _refuse_nan(getattr(value, name))
        case Mapping():
            for item in value.values():
                _refuse_nan(item)
        case list() | tuple():
            for item in value:
                _refuse_nan(item)
        case _:
            pass


def _clean(value: Any) -> Any:
    match value:
        case str():
            text = value.replace("\0", _REPLACEMENT)
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_clean(key): _clean(item) for key, item in value.items()}
        case list() | tuple():
            return [_clean(item) for item in value]
        case _:
            return value
