"""A conversation of ChatGPT's `conversations.json` as one of ours. Pure; what cannot be taken over is said."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from app.clock import LATEST, derived_id
from app.conversation_bodies import MAX_TITLE_CHARS, SkipCode
from app.models import MAX_MODEL_CHARS, Conversation, FinishReason, Message, Part, Role, storable
from app.services.skipped import Skipped

MAX_KIND_CHARS = 40  # of a kind that we do not know, as it is told
_FENCE = re.compile("`{3,}")
_REASONS: Mapping[str, FinishReason] = {"stop": "stop", "max_tokens": "length"}


class Node(NamedTuple):
    """What matters of one node of a `mapping`."""

    id: str
    parent: str | None
    role: Role | None = None  # None: it is passed through
    at: int | None = None
    text: str = ""
    thought: str = ""
    model: str | None = None
    finish_reason: FinishReason | None = None
    lost: tuple[str, ...] = ()  # kinds of what it holds besides


class Made(NamedTuple):
    """What became of a conversation."""

    conversation: Conversation | None  # None: it says nothing
    messages: Sequence[Message]
    skipped: Sequence[Skipped]  # each by its place in the conversation


# ── A node ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def node_of(name: str, value: Mapping[str, Any]) -> Node:
    """The node that stands under `name`. Whatever it holds, it is read as far as it can be."""
    parent = value.get("parent")
    bare = Node(name, parent if isinstance(parent, str) else None)
    message = _dict(value.get("message"))
    metadata = _dict(message.get("metadata"))
    role: Any = _dict(message.get("author")).get("role")
    if role not in ("user", "assistant") or metadata.get("is_visually_hidden_from_conversation") is True:
        return bare
    text, thought, lost = _said(_dict(message.get("content")))
    model: Any = metadata.get("model_slug")
    return bare._replace(
        role=role,
        at=_time(message.get("create_time")),
        text=_clean(text) if text.strip() else "",
        thought=_clean(thought.strip()),
        model=_model(model),
        finish_reason=_finish_reason(message.get("status"), metadata) if role == "assistant" else None,
        lost=tuple(dict.fromkeys(lost)),
    )


def _said(content: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    """What a message says, what it thinks, and the kinds of what else it holds."""
    kind = content.get("content_type")
    match kind:
        case "text" | "multimodal_text":
            pieces = [(piece, _text_of(piece)) for piece in _list(content.get("parts"))]
            lost = [_kind(_dict(piece).get("content_type")) for piece, text in pieces if text is None]
            return "\n".join(text for _, text in pieces if text), "", lost
        case "code":
            return _fenced(_str(content.get("language")), _str(content.get("text"))), "", []
        case "thoughts":
            thoughts = [_dict(thought) for thought in _list(content.get("thoughts"))]
            said = (_lines(_str(one.get("summary")), _str(one.get("content"))) for one in thoughts)
            return "", "\n\n".join(filter(None, said)), []
        case "reasoning_recap":
            return "", _str(content.get("content")), []
        case _:
            return "", "", [_kind(kind)]


def _text_of(piece: Any) -> str | None:
    """What a piece of a message says; None if it is no text, such as a picture."""
    if isinstance(piece, str):
        return piece
    text: Any = _dict(piece).get("text")
    return text if isinstance(text, str) else None


def _fenced(language: str, code: str) -> str:
    if not code.strip():
        return ""
    fence = max(["``", *_FENCE.findall(code)], key=len) + "`"
    name = language if language.isalnum() and language != "unknown" else ""
    return f"{fence}{name}\n{code}\n{fence}"


def _finish_reason(status: Any, metadata: Mapping[str, Any]) -> FinishReason | None:
    details: Any = _dict(metadata.get("finish_details")).get("type")
    if isinstance(details, str):
        return _REASONS.get(details, "other")
    return "stop" if status == "finished_successfully" else None


# ── A conversation ──────────────────────────────────────────────────────────────────────────────────────────────────


def convert(value: Mapping[str, Any], nodes: Sequence[Node], owner_id: str, max_chars: int) -> Made:
    """A conversation and the nodes of its mapping as one of this owner's. The same ones give the same ids.

    A message gets at most `max_chars` characters.
    """
    said = _Said(max_chars)
    known: dict[str, Node] = {}
    for node in nodes:
        if known.setdefault(node.id, node) is not node:
            said.skip(node, "name_twice")
    times = [node.at for node in known.values() if node.at is not None]
    created_at = _first(_time(value.get("create_time")), min(times, default=None), _time(value.get("update_time")))
    source = _str(value.get("id")) or _str(value.get("conversation_id")) or "\n".join(sorted(known))

    def new_id(at: int, name: str) -> str:
        return derived_id(at, owner_id, "chatgpt", source, name)

    walk = _Walk(known, created_at, _model(value.get("default_model_slug")), new_id, said)
    walk.all()
    if not walk.messages:
        said.skipped.append(Skipped("", "no_text"))
        return Made(None, (), said.skipped)
    title = said.title(value.get("title"))
    conversation = Conversation(
        id=new_id(created_at, ""),
        owner_id=owner_id,
        created_at=created_at,
        updated_at=max(created_at, _first(_time(value.get("update_time")), max(times, default=None))),
        title=title,
        titled="given" if title else "none",
        pinned=value.get("is_starred") is True,
        archived=value.get("is_archived") is True,
        head_id=walk.head(value.get("current_node")),
    )
    return Made(conversation, tuple(walk.messages.values()), said.skipped)


class _Said:
    """Notes down what is not taken over."""

    def __init__(self, max_chars: int) -> None:
        self.skipped: list[Skipped] = []
        self._max_chars = max_chars

    def skip(self, node: Node, code: SkipCode, *, kind: str | None = None, number: int | None = None) -> None:
        """Something of a node is not taken over."""
        self.skipped.append(Skipped(f".mapping[{_clean(node.id[:80])}]", code, kind, number))

    def title(self, value: Any) -> str:
        """A title of one line, cut where it is too long."""
        title = " ".join(_clean(_str(value)).split())
        if len(title) <= MAX_TITLE_CHARS:
            return title
        self.skipped.append(Skipped(".title", "too_long", number=MAX_TITLE_CHARS))
        return title[: MAX_TITLE_CHARS - 1] + "…"

    def parts(self, node: Node, thoughts: Iterable[Node]) -> tuple[Part, ...]:
        """What a message thought and says, cut where it is too long."""
        thought = "\n\n".join(one.thought for one in thoughts)
        text = node.text[: self._max_chars]
        kept = thought[: self._max_chars - len(text)]
        if (kept, text) != (thought, node.text):
            self.skip(node, "too_long", number=self._max_chars)
        return (*([Part("reasoning", kept)] if kept else []), Part("text", text))


class _Place(NamedTuple):
    """Where a walk comes to a node: after which message, when, and with which thoughts on the way."""

    node: Node
    parent_id: str | None
    at: int
    thoughts: tuple[Node, ...]


class _Walk:
    """From the roots to the leaves: what is kept hangs on the nearest one above that is kept."""

    def __init__(self, nodes: Mapping[str, Node], at: int, model: str | None, new_id: Any, said: _Said) -> None:
        self.messages: dict[str, Message] = {}  # by the name of their node
        self._nodes = nodes
        self._at = at
        self._model = model
        self._new_id = new_id
        self._said = said
        self._unseen = dict(nodes)
        self._children: dict[str | None, list[Node]] = {}
        for node in nodes.values():
            parent = node.parent if node.parent in nodes else None
            self._children.setdefault(parent, []).append(node)

    def all(self) -> None:
        """Walk over every node, also of parts that hang on nothing."""
        for root in self._children.get(None, []):
            if root.parent is not None:
                self._said.skip(root, "parent_missing")
            self._from(root)
        while self._unseen:
            first = min(self._unseen.values(), key=lambda node: node.at or 0)
            self._said.skip(first, "circle")
            self._from(first)

    def head(self, current: Any) -> str:
        """The end of the branch shown: the node that is current, or the nearest above it that is kept."""
        node = self._nodes.get(_str(current))
        seen: set[str] = set()
        while node is not None and node.id not in seen:
            if node.id in self.messages:
                return self.messages[node.id].id
            seen.add(node.id)
            node = self._nodes.get(node.parent) if node.parent is not None else None
        return max(self.messages.values(), key=lambda message: message.created_at).id

    def _from(self, root: Node) -> None:
        places = [_Place(root, None, self._at, ())]
        while places:
            place = places.pop()
            if self._unseen.pop(place.node.id, None) is None:
                continue  # the circle is closed
            below = self._pass(place)
            children = [child for child in self._children.get(place.node.id, []) if child.id in self._unseen]
            if below.thoughts and len(children) != 1:
                self._drop(below.thoughts, "thought_unclear" if children else "thought_unanswered")
                below = below._replace(thoughts=())
            places += [below._replace(node=child) for child in reversed(children)]

    def _pass(self, place: _Place) -> _Place:
        """Keep what is at this place; the place for those below."""
        node, at = place.node, place.node.at if place.node.at is not None else place.at
        for kind in node.lost:
            self._said.skip(node, "kind", kind=kind)
        if node.thought:
            return _Place(node, place.parent_id, at, (*place.thoughts, node))
        if not node.text:
            return place._replace(at=at)
        thoughts = place.thoughts
        if node.role == "user":
            self._drop(thoughts, "thought_unanswered")
            thoughts = ()
        assert node.role is not None
        answers = node.role == "assistant"
        message = Message(
            id=self._new_id(at, node.id),
            conversation_id="",
            parent_id=place.parent_id,
            role=node.role,
            parts=self._said.parts(node, thoughts),
            created_at=at,
            model=(node.model or self._model) if answers else None,
            finish_reason=node.finish_reason,
        )
        self.messages[node.id] = message
        return _Place(node, message.id, at, ())

    def _drop(self, thoughts: Iterable[Node], code: SkipCode) -> None:
        for thought in thoughts:
            self._said.skip(thought, code)


# ── Values that may be anything ─────────────────────────────────────────────────────────────────────────────────────


def _dict(value: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else []


def _str(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _clean(text: str) -> str:
    return str(storable(text))


def _kind(value: Any) -> str:
    return _clean(_str(value)[:MAX_KIND_CHARS]) or "(none)"


def _model(value: Any) -> str | None:
    return _clean(_str(value)[:MAX_MODEL_CHARS]) or None


def _lines(*lines: str) -> str:
    return "\n".join(line.strip() for line in lines if line.strip())


def _time(value: Any) -> int | None:
    """Seconds since 1970 in milliseconds; None if it is no time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return round(value * 1000) if 0 < value * 1000 < LATEST - 1 else None


def _first(*values: int | None) -> int:
    return next((value for value in values if value is not None), 0)
