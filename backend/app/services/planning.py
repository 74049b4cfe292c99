"""What is to be answered, by whom, and where the answer goes: decided before anything is stored."""

from collections.abc import Callable, Sequence

import msgspec

from app.clock import Clock
from app.errors import ConversationNotFound, Invalid, MessageNotFound, StillWriting
from app.models import ChatRequest, Conversation, Joint, Message, Part, Principal, Prompt, Sampling, Spot, Turn
from app.providers.base import Catalog, ModelInfo, Provider
from app.services import prompt as prompts
from app.services.asking import Candidate
from app.services.histories import History, prompt_of
from app.services.titles import first_words
from app.settings import Settings
from app.store.base import Conversations, Place, Question

READ_AT_ONCE = 64  # messages of a branch read for a prompt in one go; a window often holds no more


class Plan(msgspec.Struct, frozen=True):
    """Who is asked what, in order, and where in a conversation the answer goes (None: in none)."""

    candidates: Sequence[Candidate]
    place: Place | None = None


class _Way(msgspec.Struct, frozen=True):
    """How one answer is asked for: what the request says goes before the conversation, and that before the settings."""

    model: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    def over(self, conversation: Conversation) -> "_Way":
        """This, and where it says nothing, what `conversation` says."""
        return _Way(
            *(
                getattr(conversation, name) if getattr(self, name) is None else getattr(self, name)
                for name in self.__struct_fields__
            )
        )


_AS_IT_IS = _Way()
_AS_IT_LIKES = Sampling()
_Last = Callable[[ModelInfo], tuple[tuple[Turn, ...], bool]]
"""For a model: the turns that end the prompt, and whether the last of them is to be gone on from."""


class Planner:
    """Plans answers. It reads; it changes nothing."""

    def __init__(self, conversations: Conversations, catalog: Catalog, settings: Settings, clock: Clock) -> None:
        self._conversations = conversations
        self._catalog = catalog
        self._settings = settings
        self._clock = clock

    async def ask(self, principal: Principal, request: ChatRequest) -> Plan:
        """An answer to a new question.

        Raises:
            Invalid: the request asks for what does not go together.
            ConversationNotFound, MessageNotFound, ModelNotFound: it names what is not there.
            StillWriting: the answer that it follows has not ended.
        """
        way = _Way(request.model, request.system, request.temperature, request.max_tokens)
        if request.conversation_id is None:
            if request.parent_id is not None:
                raise Invalid("parent_id: it goes with a conversation_id. Send both, or neither.")
            return Plan([self._alone(provider, request, way) for provider in await self._catalog.chain(way.model)])
        if request.history is not None:
            raise Invalid("history: a conversation keeps its own. Send conversation_id or history, not both.")
        conversation = await self._find(principal, request.conversation_id)
        parent_id = await self._parent(conversation, request.parent_id)
        return await self._question(conversation, parent_id, request.message, way)

    async def whole(self, history: History) -> Plan:
        """An answer to a history that the client keeps itself.

        Raises:
            ModelNotFound: nobody has a model of that name.
        """
        way = _Way(history.model, None, history.temperature, history.max_tokens)
        turns = prompt_of(history, self._settings.system_prompt)

        def candidate(provider: Provider) -> Candidate:
            return Candidate(provider, self._prompt(turns, provider.info, way, sampling=history.sampling))

        return Plan([candidate(provider) for provider in await self._catalog.chain(way.model)])

    async def edit(self, principal: Principal, spot: Spot, text: str) -> Plan:
        """An answer to another wording of a question, beside it.

        Raises:
            Invalid: the message is no question.
            ConversationNotFound, MessageNotFound, ModelNotFound: it names what is not there.
        """
        conversation, message = await self._message(principal, spot)
        if message.role != "user":
            raise Invalid("Only a question can be edited. Regenerate an answer, or edit the question before it.")
        return await self._question(conversation, message.parent_id, text)

    async def regenerate(self, principal: Principal, spot: Spot) -> Plan:
        """Another answer beside an answer, or below a question.

        Raises:
            Invalid: there is no question that it would answer.
            ConversationNotFound, MessageNotFound, ModelNotFound: it names what is not there.
        """
        conversation, message = await self._message(principal, spot)
        parent_id = message.id if message.role == "user" else message.parent_id
        if parent_id is None:
            raise Invalid("This answer has no question, so there is nothing to answer again.")
        question = message if message.role == "user" else await self._there(conversation, parent_id)
        turns = (Turn(question.role, question.text),)
        return await self._at(
            conversation, Place(conversation.id, parent_id), question.parent_id, lambda _: (turns, False)
        )

    async def go_on(self, principal: Principal, spot: Spot) -> Plan:
        """An answer that begins with an ended one and goes on from there, beside it.

        Raises:
            Invalid: it is no answer, it has said all it had to say, or it is as long as an answer may be.
            StillWriting: it has not ended.
            ConversationNotFound, MessageNotFound, ModelNotFound: it names what is not there.
        """
        conversation, message = await self._message(principal, spot)
        self._check_can_go_on(message)
        question = await self._there(conversation, message.parent_id) if message.parent_id is not None else None
        asked = (Turn(question.role, question.text),) if question is not None else ()
        so_far = (Turn("assistant", message.text),) if message.text else ()

        def last(info: ModelInfo) -> tuple[tuple[Turn, ...], bool]:
            if not so_far:  # nothing was said yet: asked anew, it goes on from the very start
                return asked, False
            if info.continues:
                return (*asked, *so_far), True
            return (*asked, *so_far, Turn("user", prompts.GO_ON)), False

        said = tuple(part for part in message.parts if part.text)  # an import may have others; a log numbers only these
        place = Place(conversation.id, message.parent_id, prefix=said, joint=_joint(message.id, said))
        return await self._at(conversation, place, question.parent_id if question is not None else None, last)

    # ── Where ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _find(self, principal: Principal, conversation_id: str) -> Conversation:
        conversation = await self._conversations.conversation(principal.id, conversation_id)
        if conversation is None:
            raise ConversationNotFound
        return conversation

    async def _message(self, principal: Principal, spot: Spot) -> tuple[Conversation, Message]:
        conversation = await self._find(principal, spot.conversation_id)
        return conversation, await self._there(conversation, spot.message_id)

    async def _there(self, conversation: Conversation, message_id: str) -> Message:
        message = await self._conversations.message(conversation.owner_id, conversation.id, message_id)
        if message is None:
            raise MessageNotFound
        return message

    async def _parent(self, conversation: Conversation, asked_for: str | None) -> str | None:
        """The message that a new question follows: the one asked for, else the last one shown."""
        parent_id = asked_for or conversation.head_id
        if parent_id is None:
            return None
        message = await self._there(conversation, parent_id)
        if message.status not in ("queued", "running"):
            return parent_id
        if asked_for is not None:
            raise StillWriting
        # Two tabs ask at once: neither has seen the other's answer, so their questions stand side by side.
        above = await self._conversations.branch(
            conversation.owner_id, conversation.id, message.id, limit=1, above=True
        )
        return above[0].parent_id if above and above[0].role == "user" else message.parent_id

    def _check_can_go_on(self, message: Message) -> None:
        if message.role != "assistant":
            raise Invalid("Only an answer can go on. To have this question answered, regenerate it.")
        if message.status in ("queued", "running"):
            raise StillWriting
        if message.failure is None and message.finish_reason in ("stop", None):
            raise Invalid("This answer had come to its end. Ask a question to hear more.")
        if sum(len(part.text) for part in message.parts) >= self._settings.max_output_chars:
            raise Invalid(
                f"This answer has the {self._settings.max_output_chars:,} characters that one answer may have. "
                "Ask a question to hear more."
            )

    # ── What is shown ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _question(
        self, conversation: Conversation, parent_id: str | None, text: str, way: _Way = _AS_IT_IS
    ) -> Plan:
        question = Question(self._clock.new_id(), text)
        place = Place(conversation.id, parent_id, question, title=first_words(text))
        return await self._at(conversation, place, parent_id, lambda _: ((Turn("user", text),), False), way)

    async def _at(
        self, conversation: Conversation, place: Place, leaf: str | None, last: _Last, way: _Way = _AS_IT_IS
    ) -> Plan:
        """The plan for an answer at `place` to `last`, which follows the branch that ends with `leaf`."""
        way = way.over(conversation)
        providers = await self._catalog.chain(way.model)
        branch = await self._branch(conversation, leaf, way, [provider.info for provider in providers])
        return Plan([self._candidate(provider, branch, way, last) for provider in providers], place)

    async def _branch(
        self, conversation: Conversation, leaf: str | None, way: _Way, infos: Sequence[ModelInfo]
    ) -> Sequence[Message]:
        """Newest first, as much as the widest window among `infos` can hold, and a little more."""
        branch: list[Message] = []
        above = False
        while leaf is not None:
            some = await self._conversations.branch(
                conversation.owner_id, conversation.id, leaf, READ_AT_ONCE, above=above
            )
            if not some and not above:
                raise MessageNotFound
            branch += some
            full = all(prompts.enough(branch, self._room(info, way), info.id) for info in infos)
            leaf = branch[-1].id if some and branch[-1].parent_id is not None and not full else None
            above = True
        return branch

    def _candidate(self, provider: Provider, branch: Sequence[Message], way: _Way, last: _Last) -> Candidate:
        info = provider.info
        turns, continues = last(info)
        shown = prompts.show(self._system(way), branch, turns, self._room(info, way), info.id)
        return Candidate(provider, self._prompt(shown.turns, info, way, continues=continues), shown.left_out)

    def _alone(self, provider: Provider, request: ChatRequest, way: _Way) -> Candidate:
        turns = prompts.build(self._system(way), request.history or [], request.message)
        return Candidate(provider, self._prompt(turns, provider.info, way))

    def _prompt(
        self,
        turns: tuple[Turn, ...],
        info: ModelInfo,
        way: _Way,
        *,
        continues: bool = False,
        sampling: Sampling = _AS_IT_LIKES,
    ) -> Prompt:
        temperature = next(
            one for one in (way.temperature, info.temperature, self._settings.temperature) if one is not None
        )
        return Prompt(turns, self._max_tokens(info, way), temperature, continues, sampling)

    def _max_tokens(self, info: ModelInfo, way: _Way) -> int:
        return way.max_tokens or info.max_tokens or self._settings.max_tokens

    def _room(self, info: ModelInfo, way: _Way) -> int:
        window = info.context_window or self._settings.context_window
        return prompts.room_for(window, self._max_tokens(info, way))

    def _system(self, way: _Way) -> str:
        return self._settings.system_prompt if way.system is None else way.system


def _joint(message_id: str, said: Sequence[Part]) -> Joint:
    return Joint(message_id, len(said) - 1, len(said[-1].text)) if said else Joint(message_id, 0, 0)
