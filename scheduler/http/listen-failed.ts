import { Schema } from "effect";

/** The server cannot listen. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", { message: Schema.String }) {}

/** What the system's refusal means, and what to do. */
export function troubleOf(
  { code, message }: NodeJS.ErrnoException,
  { host, port }: { readonly host: string; readonly port: number },
): string {
  const place = `${host}:${port}`;
  if (code === "EADDRINUSE")
    return `${place} is taken by another program. Give another --port, or 0 for one that is free.`;
  if (code === "EACCES") return `${place} may not be listened on. Give a --port from 1024 on.`;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return `${host} is no address of this machine.`;
  return `${place} cannot be listened on: ${message}.`;
}
