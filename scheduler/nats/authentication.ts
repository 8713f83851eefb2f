import { isIP } from "node:net";
import { checkServerIdentity, type ConnectionOptions } from "node:tls";
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  type NodeConnectionOptions,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "@nats-io/transport-node";

/** How the broker knows who connects. It says nothing to the other end: sessions have keys of their own. */
export type NatsAuthentication =
  /** The text of a credentials file: a user's JWT with its nkey seed. */
  | { readonly kind: "credentials"; readonly text: string }
  /** A user's nkey seed, `SU…`. */
  | { readonly kind: "nkey"; readonly seed: string }
  | { readonly kind: "password"; readonly user: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string };

/** PEM texts. Without `ca` the system's authorities are trusted; `cert` and `key` are for brokers that ask for them. */
export interface NatsTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

function authenticatorOf(authentication: NatsAuthentication): Authenticator {
  switch (authentication.kind) {
    case "credentials":
      return credsAuthenticator(new TextEncoder().encode(authentication.text));
    case "nkey":
      return nkeyAuthenticator(new TextEncoder().encode(authentication.seed));
    case "password":
      return usernamePasswordAuthenticator(authentication.user, authentication.password);
    case "token":
      return tokenAuthenticator(authentication.token);
  }
}

/** What a file holds that `pipe nats-config` or `nsc` wrote: an nkey's seed, or a JWT with one. Throws a RangeError. */
export function authenticationFrom(text: string): NatsAuthentication {
  if (text.includes("BEGIN NATS USER JWT")) return { kind: "credentials", text };
  const seed = text.trim();
  if (/^SU[A-Z2-7]{56}$/.test(seed)) return { kind: "nkey", seed };
  throw new RangeError("it holds neither a seed of a user (SU…) nor a user's JWT");
}

/** Who connects, and where. */
export interface NatsPlace {
  readonly servers: string | readonly string[];
  readonly authentication?: NatsAuthentication | undefined;
  readonly tls?: NatsTls | undefined;
}

/** The client library's options for it. With an authority, or by a URL that begins with `tls://`, nothing is said without TLS. */
export function connectionTo({ servers, authentication, tls }: NatsPlace): NodeConnectionOptions {
  const urls = typeof servers === "string" ? [servers] : [...servers];
  const wantsTls = tls !== undefined || urls.some((url) => url.startsWith("tls://"));
  return {
    servers: urls,
    ...(authentication === undefined ? {} : { authenticator: authenticatorOf(authentication) }),
    ...(wantsTls ? { tls: { ...tls, ...identityOf(urls) } } : {}),
  };
}

/**
 * The library names no host when it connects to an address, and then Node takes the certificate for `localhost`'s. It has to be for
 * one of the addresses that were given.
 */
function identityOf(urls: readonly string[]): Pick<ConnectionOptions, "checkServerIdentity"> {
  const hosts = urls.map((url) =>
    new URL(url.includes("://") ? url : `nats://${url}`).hostname.replace(/^\[|\]$/g, ""),
  );
  return {
    checkServerIdentity: (host, certificate) => {
      const named = checkServerIdentity(host, certificate);
      const addresses = host === "localhost" ? hosts.filter((known) => isIP(known) !== 0) : [];
      const isKnown = addresses.some((address) => checkServerIdentity(address, certificate) === undefined);
      if (named === undefined || isKnown) return undefined;
      return addresses[0] === undefined ? named : checkServerIdentity(addresses[0], certificate);
    },
  };
}
