from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import StreamingResponse
from ..models import ChatRequest, ChatMessage
from ..services.ai_service import AIService
import json
from typing import List, Optional

router = APIRouter(prefix="/api/chat", tags=["chat"])
ai_service = AIService()

@router.post("/stream")
async def stream_chat(request: ChatRequest):
    """POST 요청으로 채팅 스트리밍"""
    try:
        def generate():
            for chunk in ai_service.stream_chat(request.message, request.history):
                # SSE 형식으로 데이터 전송
                yield f"data: {json.dumps({'chunk': chunk})}\n\n"
            # 완료 신호
            yield f"data: {json.dumps({'done': True})}\n\n"

        return StreamingResponse(
            generate(),
            media_type="text/event-stream",
            headers={
                "Cache-Control": "no-cache",
                "Connection": "keep-alive",
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Allow-Headers": "*"
            }
        )
    except Exception as e:
        raise HTTPException(status_code=500, detail=str(e))

@router.get("/stream")
async def stream_chat_get(
    message: str = Query(...),
    history: str = Query("[]")
):
    """GET 요청으로 채팅 스트리밍 (EventSource 용)"""
    try:
        # JSON 문자열을 파싱하여 히스토리 복원
        history_list = []
        if history != "[]":
            history_data = json.loads(history)
            history_list = [ChatMessage(**item) for item in history_data]

        def generate():
            for chunk in ai_service.stream_chat(message, history_list):
                yield f"data: {json.dumps({'chunk': chunk})}\n\n"
            yield f"data: {json.dumps({'done': True})}\n\n"

        return StreamingResponse(
            generate(),
            media_type="text/event-stream",
            headers={
                "Cache-Control": "no-cache",
                "Connection": "keep-alive",
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Allow-Headers": "*"
            }
        )
    except Exception as e:
        raise HTTPException(status_code=500, detail=str(e))
