// How a script talks with the test that runs it: it says values, and waits to be told to go on.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export const say = (value) => console.log(JSON.stringify(value));
export const told = async () => (await lines.next()).value;
export const [service, scenario] = process.argv.slice(2);

export async function play(scenarios) {
  await scenarios[scenario]();
  process.exit(0); // whatever is still open: a connection kept for later, the input
}
