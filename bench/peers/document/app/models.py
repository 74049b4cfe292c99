from pydantic import BaseModel
from typing import List, Optional

class ChatMessage(BaseModel):
    role: str          # 'user' 또는 'assistant'
    content: str       # 메시지 내용

class ChatRequest(BaseModel):
    message: str                           # 사용자 메시지
    history: Optional[List[ChatMessage]] = []  # 대화 기록
