// AG-UI's own HttpAgent against /api/agui. It checks every event and their order itself.
import { HttpAgent } from "@ag-ui/client";
import { play, say, service, told } from "./steps.mjs";

function agentOf(init = {}) {
  const heard = { events: [], errors: [], run: null };
  const begun = Promise.withResolvers(); // our run's id is here; the test may be ahead of the response
  const agent = new HttpAgent({
    url: `${service}/api/agui`,
    fetch: async (url, request) => {
      const response = await fetch(url, request);
      heard.run = response.headers.get("x-run-id");
      begun.resolve();
      return response;
    },
    ...init,
  });
  const subscriber = {
    onEvent: ({ event }) => void heard.events.push(event),
    onRunFailed: ({ error }) => void heard.errors.push(error.message),
  };
  return { agent, subscriber, heard, begun: begun.promise };
}

async function run({ agent, subscriber, heard }, parameters) {
  let thrown = null;
  try {
    await agent.runAgent(parameters, subscriber);
  } catch (error) {
    thrown = error.message;
  }
  return { messages: agent.messages, thrown, ...heard };
}

await play({
  async answer() {
    const one = agentOf({ threadId: "thread-1" });
    one.agent.addMessage({ id: "1", role: "system", content: "Be brief." });
    one.agent.addMessage({ id: "2", role: "user", content: [{ type: "text", text: "안녕? 🧵" }] });
    say(await run(one, { runId: "run-1", context: [{ description: "Place", value: "서울" }] }));
    one.heard.events = [];
    one.agent.addMessage({ id: "3", role: "user", content: "And again?" });
    say(await run(one, { runId: "run-2", forwardedProps: { temperature: 0.1, max_tokens: 9, mine: true } }));
  },

  async stop() {
    const one = agentOf();
    one.agent.addMessage({ id: "1", role: "user", content: "Stop" });
    const running = run(one);
    await told();
    await one.begun;
    await fetch(`${service}/api/runs/${one.heard.run}/cancel`, { method: "POST" });
    say(await running);
  },

  async fail() {
    const one = agentOf();
    one.agent.addMessage({ id: "1", role: "user", content: "Fail" });
    say(await run(one));
  },

  async leave() {
    const one = agentOf();
    one.agent.addMessage({ id: "1", role: "user", content: "Leave" });
    const running = run(one);
    await told();
    await one.begun;
    one.agent.abortRun();
    say(await running);
    await told();
  },
});
