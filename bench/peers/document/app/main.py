from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from dotenv import load_dotenv
from .routers import chat

load_dotenv()  # 환경변수 로드

app = FastAPI(title="AI Chat Service", version="1.0.0")

# CORS 미들웨어 설정 - React 앱과의 통신 허용
app.add_middleware(
    CORSMiddleware,
    allow_origins=["http://localhost:5173", "http://127.0.0.1:5173"],
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)

# 채팅 라우터 등록
app.include_router(chat.router)

# 헬스 체크 엔드포인트
@app.get("/")
async def root():
    return {"message": "AI Chat Service API"}

@app.get("/health")
async def health_check():
    return {"status": "healthy"}
