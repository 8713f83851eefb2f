import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
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

export function authenticatorOf(authentication: NatsAuthentication): Authenticator {
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
