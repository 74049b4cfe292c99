import { ApiError, problemOf } from "@/api/client";
import type { ImportBody } from "@/api/generated";

export type ExportFormat = "markdown" | "json";

/** Where everything can be downloaded. */
export const EXPORT_PATH = "/api/export";

/** Where one conversation can be downloaded. */
export function exportPath(conversationId: string, format: ExportFormat): string {
  return `/api/conversations/${encodeURIComponent(conversationId)}/export?format=${format}`;
}

export interface ImportOptions {
  /** How much of the file has been sent, from 0 to 1; at 1 the service has it and reads it. */
  onSent: (share: number) => void;
  signal: AbortSignal;
}

/**
 * Send a file of conversations. (By `XMLHttpRequest`, since `fetch` does not tell how far it is.)
 *
 * @throws {ApiError} it was refused, or the service went away (`unreachable`). An abort is thrown as it is.
 */
export function importFile(file: Blob, { onSent, signal }: ImportOptions): Promise<ImportBody> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/import");
    request.setRequestHeader("Content-Type", "application/json");
    request.upload.addEventListener("progress", ({ loaded, total }) => onSent(total ? loaded / total : 0));
    request.upload.addEventListener("load", () => onSent(1));
    request.addEventListener("load", () => {
      const response = responseOf(request);
      if (response.ok) resolve(response.json() as Promise<ImportBody>);
      else problemOf(response).then(reject, reject);
    });
    request.addEventListener("error", () => {
      reject(new ApiError(0, "unreachable", "The service cannot be reached.", true));
    });
    request.addEventListener("abort", () => reject(signal.reason));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    if (signal.aborted) reject(signal.reason);
    else request.send(file);
  });
}

function responseOf(request: XMLHttpRequest): Response {
  const names = ["Content-Type", "Retry-After"];
  const headers = names.flatMap((name): [string, string][] => {
    const value = request.getResponseHeader(name);
    return value === null ? [] : [[name, value]];
  });
  return new Response(request.responseText, { status: request.status, headers });
}
