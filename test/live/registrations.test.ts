import { expect, test } from "vitest";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { RegistrationEpochs } from "../../scheduler/live/registration-epochs.ts";
import { Registrations } from "../../scheduler/live/registrations.ts";
import type { NodeMessage, RegistrationEpoch } from "../../scheduler/live/transport.ts";
import type { AttestationOutcome, Verifier } from "../../scheduler/live/verification.ts";
import { createEmulatorRoot, type EmulatorRoot } from "../../scheduler/node/enclave-emulator.ts";
import { StageRunner, trustIn } from "../../scheduler/proofs/stage-runner.ts";
import { attestationStage } from "../../scheduler/proofs/judge.ts";
import { embeddedRegistry } from "../../scheduler/registry/default-registry.ts";
import { Registry } from "../../scheduler/registry/registry.ts";
import { ProvingNode } from "./support/proving-nodes.ts";
import { CHAIN } from "./support/users.ts";

/** In which order words of a node take effect while its attestation is being verified. */

const root: EmulatorRoot = createEmulatorRoot({ nowMs: Date.now() });
const EPOCH_MS = 3_600_000;
const epochs = new RegistrationEpochs(CHAIN, EPOCH_MS, (epoch) => epoch.toString(16).padStart(64, "0"));
const embedded = embeddedRegistry([], root);
const registry = new Registry({
  admission: "open",
  offersPerNode: 8,
  models: [...embedded.models.values()],
  roots: embedded.roots,
  nodes: [],
});
const offers = (["vanilla", "tee"] as const).map((mode) => ({ model: "risk-small", mode, priceGwei: 10 }));
const node = new ProvingNode(0, offers, root, () => undefined);
const { id } = node.terms;

/** Registrations whose verifier answers when it is let. */
function registrations() {
  const waiting: (() => void)[] = [];
  const said: { readonly event: EngineEvent; readonly blobs: number }[] = [];
  const warned: unknown[] = [];
  const runner = new StageRunner(trustIn(registry.roots));
  const verifier: Pick<Verifier, "attest"> = {
    attest(parts, done) {
      const outcome = runner.run(attestationStage(parts));
      const answer: AttestationOutcome = outcome.ok
        ? { ok: true, enclave: outcome.enclave as NonNullable<typeof outcome.enclave> }
        : { ok: false, reason: outcome.fault };
      waiting.push(() => done(answer));
    },
  };
  const made = new Registrations({
    chainId: CHAIN,
    nowMs: Date.now,
    registry,
    epochs,
    verifier: verifier as Verifier,
    admitted: () => undefined,
    say: (_, event, blobs) => said.push({ event, blobs: blobs.length }),
    warn: (_, fields) => warned.push(fields["reason"]),
  });
  const verify = () => {
    for (const answer of waiting.splice(0)) answer();
  };
  return { made, said, warned, verify, waiting };
}

const current = (): RegistrationEpoch => epochs.current(Date.now());
const modesOf = (event: EngineEvent | undefined) =>
  event?.kind === "node-joined" ? event.node.offers.map(({ mode }) => mode) : [event?.kind];

test("a node joins when its attestation was verified, with its document", async () => {
  const { made, said, verify } = registrations();
  made.join(node.joined(current()));
  expect(said).toEqual([]);
  const settled = made.settled();
  verify();
  await settled;
  expect(said.map(({ event, blobs }) => [modesOf(event), blobs])).toEqual([[["vanilla", "tee"], 1]]);
});

test("a node without document joins at once with what needs none", () => {
  const { made, said, warned } = registrations();
  made.join({ kind: "joined", terms: node.terms });
  expect(said.map(({ event, blobs }) => [modesOf(event), blobs])).toEqual([[["vanilla"], 0]]);
  expect(warned).toEqual(["attestation-missing"]);
});

test("of what a node says while its attestation is verified the last word counts", () => {
  const { made, said, verify, waiting } = registrations();
  made.join(node.joined(current()));
  made.leave(id);
  expect(said).toEqual([]);
  verify();
  expect(said.map(({ event }) => event.kind)).toEqual(["node-left"]);

  made.join(node.joined(current()));
  const last = { ...node.joined(current()), terms: { ...node.joined(current()).terms, slots: 7 } };
  const { attestation } = node.joined(current());
  if (attestation === undefined) throw new Error("no document");
  made.join({ ...last, terms: { ...last.terms, offers: offers.slice(0, 1) } });
  // One verification at a time, however often it says so.
  expect(waiting).toHaveLength(1);
  verify();
  expect(said.slice(1).map(({ event }) => [event.kind, modesOf(event)])).toEqual([["node-joined", ["vanilla"]]]);
});

test("a node cannot label its own offers", () => {
  const { made, said } = registrations();
  const labelled = offers.slice(0, 1).map((offer) => ({ ...offer, equivalence: "the best" }));
  const message: NodeMessage = { kind: "joined", terms: { ...node.terms, offers: labelled } };
  if (message.kind === "joined") made.join(message);
  const [joined] = said;
  expect(JSON.stringify(joined)).not.toContain("the best");
});

test("epochs: the current one and the one before are taken", () => {
  const now = 10 * EPOCH_MS + 5;
  expect(epochs.current(now)).toMatchObject({ chainId: CHAIN, epoch: 10 });
  expect([8, 9, 10, 11].map((epoch) => epochs.accepts(epoch, now))).toEqual([false, true, true, false]);
});
