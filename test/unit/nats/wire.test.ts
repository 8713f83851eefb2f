import { encode } from "cborg";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeMessage, Proof } from "../../../scheduler/live/transport.ts";
import { MAX_MESSAGE_BYTES, natsLimits, SEAL_BYTES } from "../../../scheduler/nats/limits.ts";
import { INVALID, read, write } from "../../../scheduler/nats/shapes.ts";
import { DOWN_KINDS, UP_KINDS } from "../../../scheduler/nats/subjects.ts";
import {
  announcementShape,
  type DownMessage,
  joinShape,
  readDown,
  readUp,
  signedShape,
  type SealedUpKind,
  upKindOf,
  writeDown,
  writeUp,
} from "../../../scheduler/nats/wire.ts";
import { MODES } from "../../../scheduler/shared/vocabulary.ts";
import { holds } from "../../support/reproducible.ts";

const FILE = "test/unit/nats/wire.test.ts";
const NODE = "node.1";

const id = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/);
const hex = (least: number, most = least) =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((bytes) => Buffer.from(bytes).toString("hex"));
const hash = hex(32);
const count = fc.maxSafeNat();
const some = fc.uint8Array({ maxLength: 600 });

const terms = fc.record({
  id: fc.constant(NODE),
  key: hash,
  operator: id,
  region: id,
  hardware: id,
  slots: count,
  queueLimit: count,
  offers: fc.array(fc.record({ model: id, mode: fc.constantFrom(...MODES), priceGwei: count }), { maxLength: 9 }),
});
const attested = fc
  .record({ bare: terms, hash, epoch: count, attestation: some })
  .map(({ bare, hash, epoch, attestation }) => ({ terms: { ...bare, attestation: { hash, epoch } }, attestation }));
const proof: fc.Arbitrary<Proof> = fc.oneof(
  fc.record({ kind: fc.constantFrom("vanilla" as const, "optimistic" as const), signature: hex(1, 128) }),
  fc.record({ kind: fc.constant("tee" as const), signature: hex(1, 128), attestation: hash }),
  fc.record({ kind: fc.constant("zkml" as const), signature: hex(1, 128), proof: hex(1, 4_096) }),
);
const node = fc.constant(NODE);
const said: fc.Arbitrary<NodeMessage> = fc.oneof(
  terms.map((bare): NodeMessage => ({ kind: "joined", terms: bare })),
  attested.map((about): NodeMessage => ({ kind: "joined", ...about })),
  fc.record({ kind: fc.constant("left" as const), node }),
  fc.record({ kind: fc.constant("reported" as const), node, running: count, queued: count, warm: fc.array(id) }),
  fc.record({ kind: fc.constant("accepted" as const), node, copy: count }),
  fc.record({ kind: fc.constant("progressed" as const), node, copy: count, tokens: count }),
  fc.record({ kind: fc.constant("answered" as const), node, copy: count, output: some, proof }),
  fc.record({
    kind: fc.constant("failed" as const),
    node,
    copy: count,
    reason: fc.constantFrom("error" as const, "overloaded" as const, "drained" as const),
  }),
);
const bareAssignment = fc.record({
  copy: count,
  nonce: count,
  txHash: hash,
  callIndex: count,
  model: id,
  mode: fc.constantFrom(...MODES),
  inputHash: hash,
  input: some,
  tokensIn: count,
  tokensOut: count,
  leaseMs: count,
});
const told: fc.Arbitrary<DownMessage> = fc.oneof(
  fc.constant<DownMessage>({ kind: "heard" }),
  fc.record({ kind: fc.constant("cancel" as const), copy: count }),
  bareAssignment.map((assignment): DownMessage => ({ kind: "dispatch", assignment })),
  fc
    .tuple(bareAssignment, hash)
    .map(([bare, attestation]): DownMessage => ({ kind: "dispatch", assignment: { ...bare, attestation } })),
);

const SEALED = UP_KINDS.filter((kind): kind is SealedUpKind => kind !== "join");
/** Everything that reads what comes. */
function readAll(bytes: Uint8Array): unknown[] {
  return [
    ...SEALED.map((kind) => readUp(kind, NODE, bytes)),
    ...DOWN_KINDS.map((kind) => readDown(kind, bytes)),
    ...[signedShape, announcementShape, joinShape].map((shape) => read<unknown>(shape, bytes)),
  ];
}

describe("messages over NATS", () => {
  it("say on the other side what was said on this", () => {
    const title = "say on the other side what was said on this";
    const sizes = { runs: 500, seconds: 20 };
    holds(FILE, title, sizes, said, (message) => {
      const written = writeUp(message);
      expect(readUp(upKindOf(message), NODE, written)).toEqual(message);
      return written.length + SEAL_BYTES <= MAX_MESSAGE_BYTES[upKindOf(message)] ? [] : ["it is too large"];
    });
    holds(FILE, title, sizes, told, (message) => {
      expect(readDown(message.kind, writeDown(message))).toEqual(message);
      return [];
    });
  });

  it("are not found in other bytes, which never make anything throw", () => {
    const title = "are not found in other bytes, which never make anything throw";
    holds(FILE, title, { runs: 2_000, seconds: 20 }, fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readAll(bytes);
      return [];
    });
    const changed = fc.tuple(said, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([message, at, by]) => {
      const bytes = writeUp(message);
      const place = at % bytes.length;
      bytes[place] = (bytes[place] ?? 0) ^ by;
      return bytes;
    });
    holds(FILE, title, { runs: 1_000, seconds: 20 }, changed, (bytes) => {
      readAll(bytes);
      return [];
    });
  });

  it("have one encoding, exactly their keys, and none of their parts is too large", () => {
    const asked = (value: unknown) => readUp("progress", NODE, encode(value));
    expect(asked({ copy: 1, tokens: 2 })).toEqual({ kind: "progressed", node: NODE, copy: 1, tokens: 2 });
    for (const wrong of [
      { copy: 1 },
      { copy: 1, tokens: 2, more: 3 },
      { copy: -1, tokens: 2 },
      { copy: 1.5, tokens: 2 },
      [1, 2],
      7,
      null,
    ]) {
      expect(asked(wrong)).toBe(INVALID);
    }
    // 1 in two bytes, a float that is an integer, a map without a length, and a second item behind the first.
    for (const other of [
      "a264636f7079180166746f6b656e7302",
      "a264636f7079f93c0066746f6b656e7302",
      "bf64636f70790166746f6b656e7302ff",
    ]) {
      expect(readUp("progress", NODE, Buffer.from(other, "hex"))).toBe(INVALID);
    }
    expect(readUp("progress", NODE, Buffer.from("a264636f70790166746f6b656e7302", "hex"))).not.toBe(INVALID);
    expect(readUp("progress", NODE, Buffer.from("a264636f70790166746f6b656e730200", "hex"))).toBe(INVALID);
    const warm = (models: number) =>
      readUp("report", NODE, encode({ running: 0, queued: 0, warm: Array(models).fill("m") }));
    expect([warm(256) === INVALID, warm(257) === INVALID]).toEqual([false, true]);
    const output = (length: number) =>
      readUp(
        "answer",
        NODE,
        encode({ copy: 1, output: new Uint8Array(length), proof: { kind: "vanilla", signature: new Uint8Array(64) } }),
      );
    expect([output(65_536) === INVALID, output(65_537) === INVALID]).toEqual([false, true]);
  });

  it("of the largest size that is allowed fit into what a broker is asked to carry", () => {
    const longest = "m".repeat(64);
    const offers = Array.from({ length: 256 }, () => ({
      model: longest,
      mode: "optimistic" as const,
      priceGwei: 2 ** 53 - 1,
    }));
    const site = { operator: longest, region: longest, hardware: longest, slots: 2 ** 53 - 1, queueLimit: 2 ** 53 - 1 };
    const attestation = { hash: "00".repeat(32), epoch: 2 ** 53 - 1 };
    const full = { id: longest, key: "00".repeat(32), ...site, offers, attestation };
    const document = new Uint8Array(32 * 1024);
    const about = { announcement: "00".repeat(32), encapsulated: "00".repeat(32), number: 2 ** 53 - 1 };
    const body = write(joinShape, { ...about, terms: full, document });
    const join = write(signedShape, { body, signature: "00".repeat(64) });
    expect(join.length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES.join);
    expect(read(joinShape, body)).not.toBe(INVALID);
    expect(writeUp({ kind: "joined", terms: full, attestation: document }).length + SEAL_BYTES).toBeLessThanOrEqual(
      MAX_MESSAGE_BYTES.terms,
    );
    const report = {
      kind: "reported",
      node: NODE,
      running: 2 ** 53 - 1,
      queued: 2 ** 53 - 1,
      warm: Array(256).fill(longest),
    } as const;
    expect(writeUp(report).length + SEAL_BYTES).toBeLessThanOrEqual(MAX_MESSAGE_BYTES.report);
    const proof = { kind: "zkml", signature: "00".repeat(128), proof: "00".repeat(4_096) } as const;
    const answer = { kind: "answered", node: NODE, copy: 2 ** 53 - 1, output: new Uint8Array(65_536), proof } as const;
    expect(writeUp(answer).length + SEAL_BYTES).toBeLessThanOrEqual(MAX_MESSAGE_BYTES.answer);
    expect(Math.max(...Object.values(MAX_MESSAGE_BYTES))).toBeLessThan(1024 * 1024);
  });
});

describe("limits", () => {
  it("may not contradict each other", () => {
    expect(natsLimits({ announceMs: 300 })).toMatchObject({ announceMs: 300 });
    expect(() => natsLimits({ announceMs: 100 })).toThrow();
    expect(() => natsLimits({ heardMs: 10_000 })).toThrow();
    expect(() => natsLimits({ maxNodes: 0 })).toThrow();
  });
});
