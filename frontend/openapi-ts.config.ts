import { defineConfig } from "@hey-api/openapi-ts";

/** Types only: the client is our own few lines, since streams and cursors are what this service is about. */
export default defineConfig({
  input: "openapi.json",
  output: { path: "src/api/generated", postProcess: [] },
  plugins: ["@hey-api/typescript"],
});
