import type en from "../en/shell";

export default {
  name: "AI Chat Service",
  messages: "알림",
  close: "닫기",
  cancel: "취소",
  retry: "다시 시도",
  loading: "불러오는 중…",
} satisfies Record<keyof typeof en, string>;
