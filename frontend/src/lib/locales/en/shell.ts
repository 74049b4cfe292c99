export default {
  name: "AI Chat Service",
  messages: "Messages",
  close: "Close",
  cancel: "Cancel",
  retry: "Try again",
  loading: "Loading…",
};
