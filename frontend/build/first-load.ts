import { gzipSync } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

type Chunks = Map<string, Rolldown.OutputChunk>;

interface FirstLoad {
  plugin: Plugin;
  /** The files that the page starts with, filled in by the build. */
  files: string[];
}

/**
 * Knows what a first visit loads: the entry and all that it imports. A build over `maxKibibytes` (gzip, JavaScript) fails.
 * `files` also has those that are loaded `later` (by module) but belong to every start.
 */
export function firstLoad({ maxKibibytes, later }: { maxKibibytes: number; later: readonly RegExp[] }): FirstLoad {
  const files = ["index.html"];
  const plugin: Plugin = {
    name: "first-load",
    apply: "build",
    generateBundle(_options, bundle) {
      const chunks: Chunks = new Map();
      for (const [name, output] of Object.entries(bundle)) if (output.type === "chunk") chunks.set(name, output);
      const all = [...chunks.values()];
      const first = withImports(chunks, all.filter((chunk) => chunk.isEntry));
      const rest = withImports(chunks, all.filter(({ facadeModuleId }) => later.some((pattern) => pattern.test(facadeModuleId ?? ""))));
      const styles = [...first].flatMap((name) => Array.from(chunks.get(name)?.viteMetadata?.importedCss ?? []));
      files.splice(0, Infinity, "index.html", ...new Set([...first, ...rest, ...styles]));

      const kibibytes = [...first].reduce((sum, name) => sum + gzipSync(chunks.get(name)?.code ?? "", { level: 9 }).length / 1024, 0);
      this.info(`first load: ${kibibytes.toFixed(1)} KiB of JavaScript (gzip), of ${maxKibibytes}`);
      if (kibibytes > maxKibibytes) this.error(`The first load is ${kibibytes.toFixed(1)} KiB of JavaScript (gzip), and may be ${maxKibibytes}. Load later what the first screen does not show.`);
    },
  };
  return { plugin, files };
}

/** The names of `start` and of all that they import at once. */
function withImports(chunks: Chunks, start: readonly Rolldown.OutputChunk[]): Set<string> {
  const found = new Set(start.map((chunk) => chunk.fileName));
  for (const name of found) for (const imported of chunks.get(name)?.imports ?? []) found.add(imported);
  return found;
}
