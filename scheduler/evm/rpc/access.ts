import type { IncomingMessage } from "node:http";
import { isLoopback } from "../../shared/loopback.ts";

/**
 * Who may ask from within a browser. A page of any site can send requests to the machine that it is shown on; what keeps it from
 * reading and, since requests have to be declared as JSON, from sending them, is that other origins are allowed by name only. A
 * site whose name is made to stand for this machine (DNS rebinding) is known by the Host header.
 */
export class Access {
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;
  readonly #anyHost: boolean;

  constructor(options: {
    /** Where it listens. */
    readonly host: string;
    /** Such as `https://wallet.example`; `*` allows all. */
    readonly allowOrigins: readonly string[];
    /** Names beside the loopback ones, by which a server on a loopback address may be asked. */
    readonly allowHosts: readonly string[];
  }) {
    this.#origins = new Set(options.allowOrigins);
    this.#hosts = new Set(options.allowHosts.map((host) => host.toLowerCase()));
    // Who listens to other machines has names that are not known here, unless they are given.
    this.#anyHost = !isLoopback(options.host) && options.allowHosts.length === 0;
  }

  isHostAllowed({ headers: { host } }: IncomingMessage): boolean {
    if (this.#anyHost) return true;
    const name = host === undefined ? undefined : hostName(host);
    return name !== undefined && (isLoopback(name) || this.#hosts.has(name));
  }

  /** Headers that let the page of the request's origin read the answer; none where it may not, or is no page. */
  corsHeaders(request: IncomingMessage): Readonly<Record<string, string>> {
    const { origin } = request.headers;
    if (origin === undefined || !this.#allows(origin)) return {};
    return { "access-control-allow-origin": origin, vary: "Origin" };
  }

  /** A WebSocket is open to pages of all origins unless the server looks. Programs send no origin. */
  isSocketAllowed({ headers: { origin } }: IncomingMessage): boolean {
    return origin === undefined || this.#allows(origin);
  }

  #allows(origin: string): boolean {
    return this.#origins.has("*") || this.#origins.has(origin);
  }
}

/** The name in a Host header, without its port; `undefined` for what is none. */
function hostName(header: string): string | undefined {
  const [, name] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]/?#@\s]+)(?::\d{1,5})?$/.exec(header) ?? [];
  return name?.toLowerCase();
}
