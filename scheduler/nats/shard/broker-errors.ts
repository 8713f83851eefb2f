import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import { PermissionViolationError } from "@nats-io/transport-node";

/** What the server refuses for good, however often it is asked. */
const FINAL_CODES: ReadonlySet<number> = new Set([
  JetStreamApiCodes.JetStreamNotEnabledForAccount,
  // A message larger than the stream takes; a stream of that name with another configuration; no room for it.
  10_054,
  10_058,
  10_047,
  10_023,
]);

/** JetStream's number for what it did not do; `undefined` for any other error. */
export function codeOf(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined;
}

/** Whether JetStream would say the same to the same question for ever. */
export function isFinal(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && FINAL_CODES.has(code);
}

/** Of the question, or of hearing the answer to it. */
export function isForbidden(error: unknown): boolean {
  const isPermission = (thrown: unknown): boolean => thrown instanceof PermissionViolationError;
  return isPermission(error) || (error instanceof Error && isPermission(error.cause));
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
