"""A branch of a conversation as Markdown, for people: the text as it is, what was thought left out."""

from app.models import Conversation, Message

UNTITLED = "Conversation"


def opening(conversation: Conversation) -> str:
    """The beginning: the title."""
    title = " ".join(conversation.title.split()) or UNTITLED
    return f"# {title}\n"


def written(message: Message) -> str:
    """A message: who says it, what, and how it ended where that was not well."""
    if message.role == "user":
        return f"\n## User\n\n{message.text.strip()}\n"
    heading = f"## Assistant ({message.model})" if message.model else "## Assistant"
    text = f"{message.text.strip()}\n" if message.text.strip() else ""
    parts = [heading, text.removesuffix("\n"), _ending(message)]
    return "\n" + "\n\n".join(part for part in parts if part) + "\n"


def _ending(message: Message) -> str:
    if message.failure is not None:
        return f"> **Not finished:** {message.failure.message}"
    if message.finish_reason == "length":
        return "> **Cut off:** it had reached its longest length."
    if message.finish_reason == "content_filter":
        return "> **Cut off:** the provider's filter stopped it."
    return ""
