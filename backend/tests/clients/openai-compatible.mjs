// Another stock client of OpenAI's door: the AI SDK's provider for compatible endpoints, with the SDK's own functions.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import { play, say, service, told } from "./steps.mjs";

const provider = createOpenAICompatible({ name: "ours", baseURL: `${service}/v1`, includeUsage: true });
const model = provider("gpt-3.5-turbo");
const ask = { model, prompt: "안녕? 🧵", maxRetries: 0 };

async function read(stream) {
  const parts = { text: "", reasoning: "", errors: [], finish: null };
  for await (const part of stream) {
    if (part.type === "text-delta") parts.text += part.text;
    if (part.type === "reasoning-delta") parts.reasoning += part.text;
    if (part.type === "error") parts.errors.push(part.error.message ?? part.error);
    if (part.type === "finish") parts.finish = part.finishReason;
  }
  return parts;
}

await play({
  async answer() {
    const streamed = streamText({ ...ask, system: "Be brief.", topP: 0.5, seed: 7, stopSequences: ["끝"] });
    say({ ...(await read(streamed.fullStream)), usage: await streamed.usage });
    const whole = await generateText(ask);
    say({ text: whole.text, reasoning: whole.reasoningText, finish: whole.finishReason, usage: whole.usage });
  },

  async refused() {
    try {
      await generateText({ ...ask, maxRetries: 2 });
    } catch (error) {
      say({ statusCode: error.statusCode, message: error.message, code: error.data?.error.code });
    }
  },

  async "refused once"() {
    try {
      await generateText(ask);
    } catch (error) {
      say({ statusCode: error.statusCode, message: error.message, code: error.data?.error.code });
    }
  },

  async cut() {
    const streamed = streamText({ ...ask, onError: () => {} });
    say(await read(streamed.fullStream));
  },

  async leave() {
    const abort = new AbortController();
    const streamed = streamText({ ...ask, abortSignal: abort.signal, onError: () => {} });
    const reading = read(streamed.fullStream);
    await told();
    abort.abort();
    await reading;
    say("left");
    await told();
  },
});
