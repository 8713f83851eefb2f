/**
 * A question that was not answered. `failed`: the service is over, its journal could not be written, or it met a bug of its
 * own; start it again from its directory. `closed`: it was stopped. `overloaded`: too many wait; nothing was done.
 */
export class ServiceFailed extends Error {
  override readonly name = "ServiceFailed";
  readonly reason: "failed" | "closed" | "overloaded";

  constructor(reason: ServiceFailed["reason"], message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

export function failureOf(cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new ServiceFailed("failed", `the service cannot go on: ${message}`, cause);
}
