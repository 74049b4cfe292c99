import os
from openai import OpenAI
from typing import Generator, List
from ..models import ChatMessage

class AIService:
    def __init__(self):
        # 환경변수에서 API 키 로드
        self.client = OpenAI(api_key=os.getenv("OPENAI_API_KEY"))

    def stream_chat(self, message: str, history: List[ChatMessage] = []) -> Generator[str, None, None]:
        # 대화 기록을 OpenAI 형식으로 변환
        messages = []
        for msg in history:
            messages.append({"role": msg.role, "content": msg.content})

        # 현재 사용자 메시지 추가
        messages.append({"role": "user", "content": message})

        try:
            # OpenAI 스트리밍 API 호출
            response = self.client.chat.completions.create(
                model="gpt-3.5-turbo",
                messages=messages,
                stream=True,              # 스트리밍 활성화
                max_tokens=1000,
                temperature=0.7
            )

            # 스트리밍 응답 처리
            for chunk in response:
                if chunk.choices[0].delta.content is not None:
                    yield chunk.choices[0].delta.content

        except Exception as e:
            yield f"Error: {str(e)}"
