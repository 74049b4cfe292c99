import { createParser, type ParseError } from "eventsource-parser";

/** One event of a stream: its place, and what it says. */
export interface Frame {
  readonly id: string;
  readonly data: string;
}

const MAX_BUFFER = 1024 * 1024; // characters that wait for the end of their frame; the service's are below 64 Ki

/**
 * The frames of a response, as many at once as arrived at once. Ends where the connection does: whether the stream is
 * whole is for the reader to see.
 *
 * @param onBytes is called for whatever arrives, comments too.
 * @throws what the connection broke off with; an Error for a frame that does not end.
 */
export async function* readFrames(response: Response, onBytes: () => void): AsyncGenerator<readonly Frame[]> {
  if (!response.body) return;
  let frames: Frame[] = [];
  let broken: ParseError | null = null;
  const parser = createParser({
    maxBufferSize: MAX_BUFFER,
    onEvent: ({ id, data }) => frames.push({ id: id ?? "", data }),
    onError: (error) => {
      if (error.type === "max-buffer-size-exceeded") broken = error; // of unknown fields the standard says to skip them
    },
  });
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      parser.feed(decoder.decode(value, { stream: true }));
      if (frames.length > 0) {
        yield frames;
        frames = [];
      }
      if (broken) throw broken;
    }
  } finally {
    await reader.cancel().catch(() => {}); // it broke off already, and that is told
  }
}
