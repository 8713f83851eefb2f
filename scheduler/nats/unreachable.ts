/** Why no server takes us, in words that say what to do about it. */
export interface Unreachable {
  readonly why: string;
  /** Whether asking again would help nothing. */
  readonly isFinal: boolean;
}

/** No server could be reached at the start, or none would have us. */
export class NatsUnreachable extends Error {
  override readonly name = "NatsUnreachable";
  readonly code = "nats-unreachable";
}

export function unreachable(servers: string | readonly string[], cause: unknown): NatsUnreachable {
  return new NatsUnreachable(`no NATS server at ${String(servers)} takes us: ${unreachableBy(cause).why}`, { cause });
}

/** Node's codes for a certificate whose authority is not one of ours. */
const STRANGERS = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
]);

export function unreachableBy(cause: unknown): Unreachable {
  const { name, message } = cause instanceof Error ? cause : new Error(String(cause));
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const advice = adviceOn(code, `${name} ${message}`);
  // Node's hint, which is not ours, follows a semicolon.
  const [said = message] = message.split(/\.?\s*;/);
  return advice === undefined
    ? { why: said, isFinal: false }
    : { why: `${said.replace(/\.$/, "")}. ${advice}`, isFinal: true };
}

function adviceOn(code: string, text: string): string | undefined {
  if (STRANGERS.has(code))
    return "The server's certificate is of another authority than the one given: give the certificate of its own (ca.crt)";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return "The server's certificate is for another address: connect to one that stands in it, or make one with this address";
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
    return "The server's certificate is not valid now: renew it, and check both clocks";
  if (/does not support 'tls'/.test(text))
    return "The server speaks without TLS: give it certificates (pipe nats-config --tls), or, on this machine alone, connect by nats:// without an authority";
  if (/authoriz|authentic/i.test(text))
    return "The server does not know these credentials: give those of a user in its configuration, and let it read that again";
  return undefined;
}
