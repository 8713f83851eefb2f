import type { IncomingMessage } from "node:http";

/**
 * The request's body. `too-large`: it is, or says that it will be, larger than the limit, and what still comes is not kept;
 * `broken`: who sent it is gone.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | "too-large" | "broken"> {
  const { promise, resolve } = Promise.withResolvers<Buffer | "too-large" | "broken">();
  if (Number(request.headers["content-length"] ?? 0) > limit) {
    request.resume();
    resolve("too-large");
    return promise;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limit) return void chunks.push(chunk);
    chunks.length = 0;
    resolve("too-large");
  });
  request.once("end", () => resolve(Buffer.concat(chunks)));
  request.once("error", () => resolve("broken"));
  request.once("close", () => resolve("broken"));
  return promise;
}
