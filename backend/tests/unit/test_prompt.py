"""What a model is shown of a branch: the newest whole messages that fit, and honesty about the rest."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import ChatMessage, Joint, Message, Part, Turn, Usage
from app.services import prompt

MODEL = "openai/m"
LAST = (Turn("user", "And now?"),)


def branch(*texts: str, model: str | None = None) -> list[Message]:
    """A branch of questions and answers, newest first."""
    return [
        Message(
            id=str(number),
            conversation_id="c",
            parent_id=str(number - 1) if number else None,
            role="assistant" if number % 2 else "user",
            parts=(Part("reasoning", "hm"), Part("text", text)) if text else (),
            created_at=number,
            depth=number,
            model=model if number % 2 else None,
        )
        for number, text in reversed(list(enumerate(texts)))
    ]


def counted(message: Message, output: int, *, reasoning: int = 0, joint: Joint | None = None) -> Message:
    """The same answer with the provider's count."""
    usage = Usage(input_tokens=1, output_tokens=output, reasoning_tokens=reasoning)
    return msgspec.structs.replace(message, usage=usage, joint=joint)


def texts(shown: prompt.Shown) -> list[str]:
    return [turn.content for turn in shown.turns]


def test_what_fits_is_shown_whole_and_nothing_is_left_out() -> None:
    shown = prompt.show("Be kind.", branch("a", "b", "c", "d"), LAST, 1000, MODEL)
    assert shown.turns == (
        Turn("system", "Be kind."),
        Turn("user", "a"),
        Turn("assistant", "b"),
        Turn("user", "c"),
        Turn("assistant", "d"),
        *LAST,
    )
    assert shown.left_out == 0


def test_the_oldest_are_left_out_whole_and_counted_and_a_question_comes_first() -> None:
    long = "x" * 400  # a hundred tokens each, and five around it
    six = branch(long, long, long, long, long, long)
    assert prompt.show("", six, LAST, 427, MODEL).left_out == 2
    shown = prompt.show("", six, LAST, 426, MODEL)  # three fit, and the first of them is an answer
    assert ([turn.role for turn in shown.turns], shown.left_out) == (["user", "assistant", "user"], 4)
    assert prompt.show("", branch(long, long), LAST, 50, MODEL) == prompt.Shown(LAST, 2)


def test_the_question_and_the_system_text_are_there_whatever_fits() -> None:
    shown = prompt.show("s" * 4000, branch("a", "b"), (Turn("user", "q" * 4000),), 10, MODEL)
    assert (len(shown.turns), shown.left_out) == (2, 2)


def test_answers_that_never_came_are_no_turns_and_cost_nothing() -> None:
    shown = prompt.show("", branch("a", "", "c", ""), LAST, 1000, MODEL)
    assert (texts(shown), shown.left_out) == (["a", "c", "And now?"], 0)


def test_the_provider_s_count_is_believed_and_corrects_the_estimate() -> None:
    answer, question = branch("가" * 100, "가" * 100, model=MODEL)  # estimated as a hundred tokens each
    dear, cheap = [counted(answer, 300), question], [counted(answer, 50), question]
    assert [prompt.cost(message, 3.0, MODEL) for message in dear] == [304, 305]
    assert prompt.show("", dear, LAST, 650, MODEL).left_out == 0
    assert prompt.show("", dear, LAST, 600, MODEL).left_out == 2
    assert prompt.show("", [answer, question], LAST, 600, MODEL).left_out == 0, "unknown, it is estimated"
    assert prompt.show("", cheap, LAST, 130, MODEL).left_out == 0


def test_a_count_that_is_not_of_this_text_is_not_believed() -> None:
    answer = branch("q", "x" * 400, model=MODEL)[0]
    plain = prompt.cost(answer, 1.0, MODEL)
    assert prompt.cost(counted(answer, 5), 1.0, "other/model") == plain
    assert prompt.cost(counted(answer, 5, joint=Joint("0", 0, 3)), 1.0, MODEL) == plain, (
        "it counts the second half only"
    )
    assert prompt.cost(counted(answer, 40, reasoning=40), 1.0, MODEL) == plain
    assert prompt.cost(counted(answer, 40, reasoning=10), 1.0, MODEL) == 30 + prompt.TURN_TOKENS


@pytest.mark.parametrize(("window", "max_tokens", "room"), [(4096, 1000, 3096), (4096, 4096, 1024), (1000, 10**6, 250)])
def test_there_is_room_for_the_answer_and_always_some_for_the_prompt(window: int, max_tokens: int, room: int) -> None:
    assert prompt.room_for(window, max_tokens) == room


@given(
    st.lists(st.text(max_size=60), max_size=30),
    st.integers(0, 400),
    st.text(max_size=30),
)
def test_whatever_the_branch_what_is_shown_is_its_end_word_for_word(
    said: Sequence[str], room: int, system: str
) -> None:
    newest_first = branch(*said)
    shown = prompt.show(system, newest_first, LAST, room, MODEL)
    kept = [message for message in reversed(newest_first) if message.depth >= shown.left_out]
    assert texts(shown) == [
        *([system] if system else []),
        *(message.text for message in kept if message.text),
        "And now?",
    ]
    assert 0 <= shown.left_out <= len(said)
    assert shown.left_out == 0 or not kept or kept[0].role == "user"
    more = prompt.show(system, newest_first, LAST, room + 50, MODEL)
    assert more.left_out <= shown.left_out, "more room never shows less"


def test_a_client_s_own_history_goes_as_it_is() -> None:
    history = [ChatMessage(role="user", content="a"), ChatMessage(role="assistant", content="")] * 300
    assert prompt.build("s", history, "q") == (Turn("system", "s"), *[Turn("user", "a")] * 300, Turn("user", "q"))
