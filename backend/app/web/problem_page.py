"""A refusal as a page of its own, for a person whom another site sent here, in the language of their browser."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape

from fastapi.responses import HTMLResponse
from starlette.datastructures import Headers

from app.errors import ChatError
from app.web.negotiation import prefers_korean

_STYLE = (
    ":root{color-scheme:light dark;background:Canvas;color:CanvasText}"
    "body{margin:0;min-height:100vh;display:grid;place-content:center;font:1rem/1.6 system-ui,sans-serif}"
    "main{max-width:26rem;padding:1.5rem;word-break:keep-all}h1{font-size:1.25rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AI Chat Service</title>
<style>{style}</style>
</head>
<body data-code="{code}">
<main>
<h1>AI Chat Service</h1>
<p>{sentence}</p>
<p><a href="/">{back}</a></p>
</main>
</body>
</html>
"""
# As the web page has them (frontend/src/lib/locales/ko/errors.ts), but for `invalid`: only an address can be that here.
KOREAN: Mapping[str, str] = {
    "invalid": "올바르지 않은 주소입니다. 이전 화면으로 돌아가 다시 시도하세요.",
    "draining": "서비스를 다시 시작하는 중입니다. 잠시 뒤 다시 시도하세요.",
    "invitation_needed": "가입하려면 유효한 초대가 필요합니다. 관리자에게 초대를 요청하세요.",
    "issuer_unavailable": "로그인 제공자가 응답하지 않습니다. 잠시 뒤 다시 시도하세요.",
    "issuer_untrusted": "로그인 제공자의 응답을 신뢰할 수 없습니다. 관리자에게 알려 주세요.",
    "no_room": "서버에 저장 공간이 없습니다. 관리자에게 알려 주세요.",
    "not_found": "찾을 수 없습니다. 이전 화면으로 돌아가 다시 시도하세요.",
    "sign_in_declined": "로그인이 취소되었습니다. 계속하려면 다시 로그인하세요.",
    "sign_in_expired": "로그인 시간이 지났거나 다른 창에서 시작한 로그인입니다. 다시 로그인하세요.",
    "storage_unavailable": "지금은 저장할 수 없습니다. 잠시 뒤 다시 시도하세요.",
    "suspended": "사용이 정지된 계정입니다. 관리자에게 문의하세요.",
    "too_many_attempts": "시도 횟수가 너무 많습니다. 잠시 뒤 다시 시도하세요.",
}


def problem_page(error: ChatError, headers: Headers) -> HTMLResponse:
    """`error` for a person who can only look; `headers` are those of their request."""
    sentence, back, language = error.message, "Back", "en"
    if prefers_korean(headers) and error.code in KOREAN:
        sentence, back, language = KOREAN[error.code], "돌아가기", "ko"
    page = _PAGE.format(language=language, style=_STYLE, code=escape(error.code), sentence=escape(sentence), back=back)
    more = {"Content-Security-Policy": _POLICY, "Content-Language": language, "Vary": "Accept-Language"}
    if error.retry_after is not None:
        more["Retry-After"] = str(error.retry_after)
    return HTMLResponse(page, error.status, more)
