import type { Registry } from "../registry/registry.ts";
import type { LiveClock } from "./clock.ts";
import type { ProofSettings } from "./proof-settings.ts";
import type { RegistrationEpochs } from "./registration-epochs.ts";
import type { Transport } from "./transport.ts";

/** Longest pause between renewals of attestation documents. */
const MAX_RENEWAL_MS = 1_800_000;

export interface Announced {
  readonly transport: Transport;
  readonly clock: LiveClock;
  readonly proofs: ProofSettings;
  readonly registry: Registry;
}

/**
 * Tells nodes the current epoch, now and from time to time: documents are renewed before the nonce that they answer, or they
 * themselves, are too old. Ends when the timer is cleared.
 */
export function announceEpochs({ transport, clock, proofs, registry }: Announced, epochs: RegistrationEpochs) {
  const announce = () => transport.announce?.(epochs.current(Math.floor(clock.nowUs() / 1000)));
  announce();
  const ages = [...registry.models.values()].map(({ rules }) => rules.tee?.maxAgeMs ?? MAX_RENEWAL_MS);
  const lastsMs = Math.min(proofs.registrationEpochMs, ...ages);
  return setInterval(announce, Math.min(MAX_RENEWAL_MS, lastsMs / 2));
}
