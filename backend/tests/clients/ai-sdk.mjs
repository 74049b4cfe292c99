// The AI SDK's own chat and transport against `format=ui`.
import { AbstractChat, DefaultChatTransport } from "ai";
import { play, say, service, told } from "./steps.mjs";

const textOf = (message) => message.parts.map((part) => (part.type === "text" ? part.text : "")).join("");

// What the packages for React, Vue and Svelte add to the chat: a place for its state.
class State {
  messages;
  status = "ready";
  error = undefined;

  constructor(messages) {
    this.messages = messages;
  }
  pushMessage = (message) => (this.messages = [...this.messages, structuredClone(message)]);
  popMessage = () => (this.messages = this.messages.slice(0, -1));
  replaceMessage = (index, message) => (this.messages = this.messages.with(index, structuredClone(message)));
  snapshot = (value) => structuredClone(value);
}

class Chat extends AbstractChat {
  constructor({ messages = [], ...init }) {
    super({ ...init, state: new State(messages) });
  }
}

function chatOf({ conversation, run, messages } = {}) {
  const heard = { data: [], finished: [] };
  const chat = new Chat({
    messages,
    onData: (part) => heard.data.push(part.type),
    onFinish: ({ isAbort, isDisconnect, isError, finishReason }) =>
      heard.finished.push({ isAbort, isDisconnect, isError, finishReason }),
    transport: new DefaultChatTransport({
      api: `${service}/api/chat/stream?format=ui`,
      prepareSendMessagesRequest: ({ messages }) => ({
        body: conversation
          ? { message: textOf(messages.at(-1)), conversation_id: conversation }
          : {
              message: textOf(messages.at(-1)),
              history: messages.slice(0, -1).map((one) => ({ role: one.role, content: textOf(one) })),
            },
      }),
      prepareReconnectToStreamRequest: () => ({ api: `${service}/api/runs/${run()}/events?format=ui` }),
    }),
  });
  return { chat, heard };
}

async function until(fact) {
  while (!fact()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const state = ({ chat, heard }) => ({
  status: chat.status,
  error: chat.error?.message ?? null,
  messages: chat.messages,
  ...heard,
});

const cancel = (run) => fetch(`${service}/api/runs/${run}/cancel`, { method: "POST" });
const runOf = (chat) => chat.lastMessage.metadata.run_id;
const saysSomething = (chat) => chat.lastMessage?.role === "assistant" && textOf(chat.lastMessage) !== "";

await play({
  async send() {
    const one = chatOf();
    await one.chat.sendMessage({ text: "안녕? 🧵" });
    await one.chat.sendMessage({ text: "And again?" });
    say(state(one));
  },

  async conversation() {
    const made = await fetch(`${service}/api/conversations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    const { id } = await made.json();
    const one = chatOf({ conversation: id });
    await one.chat.sendMessage({ text: "First" });
    await one.chat.sendMessage({ text: "Second" });
    say({ conversation: id, ...state(one) });
  },

  // The page is loaded again in the middle: a new chat, which knows the run, reads it from the start and goes on live.
  async resume() {
    const before = chatOf();
    before.chat.sendMessage({ text: "Resume" });
    await until(() => saysSomething(before.chat));
    const run = runOf(before.chat);
    await before.chat.stop();
    say({ run, ...state(before) });
    const after = chatOf({ run: () => run, messages: before.chat.messages });
    const resumed = after.chat.resumeStream();
    await until(() => after.chat.status === "streaming");
    say(state(after));
    await resumed;
    say(state(after));
    await after.chat.resumeStream();
    say(state(after));
  },

  // The line breaks, the chat says so, and the same chat goes on.
  async disconnect() {
    let run;
    const one = chatOf({ run: () => run });
    const sent = one.chat.sendMessage({ text: "Break" });
    await until(() => saysSomething(one.chat));
    run = runOf(one.chat);
    say({ run });
    await sent;
    say(state(one));
    await one.chat.resumeStream();
    say(state(one));
  },

  async stop() {
    const one = chatOf();
    const sent = one.chat.sendMessage({ text: "Stop" });
    await until(() => saysSomething(one.chat));
    const reply = await cancel(runOf(one.chat));
    await sent;
    say({ cancelled: reply.status, ...state(one) });
  },

  async fail() {
    const one = chatOf();
    const sent = one.chat.sendMessage({ text: "Fail" });
    await until(() => saysSomething(one.chat));
    say({ run: runOf(one.chat) });
    await told();
    await sent;
    say(state(one));
  },

  async refused() {
    const one = chatOf();
    await one.chat.sendMessage({ text: " " });
    say({ statusCode: one.chat.error.statusCode, ...state(one) });
  },
});
