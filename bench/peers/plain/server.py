"""The plain rewrite of the document's endpoint: async SDK, generator, `StreamingResponse`. Nothing is kept."""

import json
from collections.abc import AsyncGenerator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

app = FastAPI(title="The plain rewrite")
client = AsyncOpenAI()


class ChatMessage(BaseModel):
    """One earlier message."""

    role: str
    content: str


class ChatRequest(BaseModel):
    """A question."""

    message: str
    history: list[ChatMessage] | None = None


@app.get("/health")
async def health() -> dict[str, str]:
    """Whether it serves."""
    return {"status": "healthy"}


@app.post("/api/chat/stream")
async def stream_chat(request: ChatRequest) -> StreamingResponse:
    """Ask, and read the answer as it is made."""
    return StreamingResponse(_events(request), media_type="text/event-stream")


async def _events(request: ChatRequest) -> AsyncGenerator[str]:
    asked: list[ChatCompletionMessageParam] = [
        *({"role": said.role, "content": said.content} for said in request.history or ()),  # pyright: ignore[reportAssignmentType]
        {"role": "user", "content": request.message},
    ]
    stream = await client.chat.completions.create(
        model="gpt-3.5-turbo", messages=asked, stream=True, max_tokens=1000, temperature=0.7
    )
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            yield f"data: {json.dumps({'chunk': chunk.choices[0].delta.content}, ensure_ascii=False)}\n\n"
    yield 'data: {"done": true}\n\n'
