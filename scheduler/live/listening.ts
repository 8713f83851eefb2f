import type { Server } from "node:http";

/** Resolves when the server listens; rejects with the system's error. */
export function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host, port }, () => {
    server.off("error", reject);
    // What befalls a server that listens, such as no file handle being left, passes; a connection is lost by it.
    server.on("error", () => undefined);
    resolve();
  });
  return promise;
}

/** Pause between two looks for connections that have become idle. */
const LOOK_MS = 20;

/** Takes no more connections, lets requests under way end, and after a time ends them. */
export async function stop(server: Server, limitMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  const looks = setInterval(() => server.closeIdleConnections(), LOOK_MS);
  const limit = setTimeout(() => server.closeAllConnections(), limitMs);
  await promise;
  clearInterval(looks);
  clearTimeout(limit);
}
