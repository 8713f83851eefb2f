import { decode, encode } from "cborg";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeMessage, Proof } from "../../../scheduler/live/transport.ts";
import {
  FULL_FRAME_BYTES,
  MAX_FRAME_MESSAGES,
  MAX_MESSAGE_BYTES,
  natsLimits,
  SEAL_BYTES,
} from "../../../scheduler/nats/limits.ts";
import { INVALID, read, write } from "../../../scheduler/nats/shapes.ts";
import {
  announcementShape,
  type DownMessage,
  joinShape,
  readDown,
  readUp,
  signedShape,
  writeDown,
  writeFrame,
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

/** Everything that reads what comes. */
function readAll(bytes: Uint8Array): unknown[] {
  const shapes = [signedShape, announcementShape, joinShape];
  return [readUp(NODE, bytes), readDown(bytes), ...shapes.map((shape) => read<unknown>(shape, bytes))];
}

/** What CBOR's own library makes of plain values, in the same order of keys. */
function upOf(word: string, body: unknown): readonly NodeMessage[] | typeof INVALID {
  return readUp(NODE, encode([[word, body]]));
}

function frameOf(items: readonly (Uint8Array | undefined)[]): Uint8Array {
  return writeFrame(items.map((item) => item ?? expect.fail("it has no form")));
}

describe("messages over NATS", () => {
  it("say on the other side what was said on this, in the form that CBOR's own library gives them", () => {
    const title = "say on the other side what was said on this, in the form that CBOR's own library gives them";
    const sizes = { runs: 500, seconds: 20 };
    holds(FILE, title, sizes, fc.array(said, { minLength: 1, maxLength: 5 }), (messages) => {
      const frame = frameOf(messages.map(writeUp));
      expect(readUp(NODE, frame)).toEqual(messages);
      return Buffer.from(encode(decode(frame))).equals(frame) ? [] : ["it has another encoding"];
    });
    holds(FILE, title, sizes, fc.array(told, { minLength: 1, maxLength: 5 }), (messages) => {
      const frame = frameOf(messages.map(writeDown));
      expect(readDown(frame)).toEqual(messages);
      return Buffer.from(encode(decode(frame))).equals(frame) ? [] : ["it has another encoding"];
    });
  });

  it("are not found in other bytes, which never make anything throw", () => {
    const title = "are not found in other bytes, which never make anything throw";
    holds(FILE, title, { runs: 2_000, seconds: 20 }, fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readAll(bytes);
      return [];
    });
    const changed = fc.tuple(said, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([message, at, by]) => {
      const bytes = frameOf([writeUp(message)]);
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
    const asked = (body: unknown) => upOf("progress", body);
    expect(asked({ copy: 1, tokens: 2 })).toEqual([{ kind: "progressed", node: NODE, copy: 1, tokens: 2 }]);
    const wrong = [
      { copy: 1 },
      { copy: 1, tokens: 2, more: 3 },
      { copy: -1, tokens: 2 },
      { copy: 1.5, tokens: 2 },
      [1],
      7,
    ];
    for (const body of [...wrong, null, { copy: 2n ** 53n, tokens: 2 }]) expect(asked(body)).toBe(INVALID);
    expect(asked({ copy: 2 ** 53 - 1, tokens: 2 ** 32 })).not.toBe(INVALID);
    const head = "81826870726f6772657373";
    expect(readUp(NODE, Buffer.from(`${head}a264636f70790166746f6b656e7302`, "hex"))).not.toBe(INVALID);
    const others = [
      ["1 in two bytes", "a264636f7079180166746f6b656e7302"],
      ["1 in nine bytes", "a264636f70791b000000000000000166746f6b656e7302"],
      ["a floating point number", "a264636f7079f93c0066746f6b656e7302"],
      ["a map without a length", "bf64636f70790166746f6b656e7302ff"],
      ["its keys in another order", "a266746f6b656e730264636f707901"],
      ["a key twice", "a364636f70790164636f70790166746f6b656e7302"],
      ["something behind it", "a264636f70790166746f6b656e730200"],
      ["less than it says", "a264636f70790166746f6b656e73"],
    ] as const;
    for (const [what, body] of others) expect(readUp(NODE, Buffer.from(head + body, "hex")), what).toBe(INVALID);
    const warm = (models: number) => upOf("report", { running: 0, queued: 0, warm: Array(models).fill("m") });
    expect([warm(256) === INVALID, warm(257) === INVALID]).toEqual([false, true]);
    const proof = { kind: "vanilla", signature: new Uint8Array(64) };
    const output = (length: number) => upOf("answer", { copy: 1, output: new Uint8Array(length), proof });
    expect([output(65_536) === INVALID, output(65_537) === INVALID]).toEqual([false, true]);
    for (const other of [encode([]), encode({}), encode([["no-such-word", {}]]), encode([["left"]])]) {
      expect(readUp(NODE, other)).not.toEqual([expect.anything()]);
    }
    expect(readUp(NODE, encode(Array(MAX_FRAME_MESSAGES + 1).fill(["leave", {}])))).toBe(INVALID);
  });

  it("that the other side would refuse have no form here either", () => {
    const output = new Uint8Array(65_537);
    const proof = { kind: "vanilla", signature: "00".repeat(64) } as const;
    expect(writeUp({ kind: "answered", node: NODE, copy: 1, output, proof })).toBeUndefined();
    expect(writeUp({ kind: "progressed", node: NODE, copy: 1, tokens: 1.5 })).toBeUndefined();
    expect(writeUp({ kind: "reported", node: NODE, running: 0, queued: 0, warm: ["ä"] })).toBeUndefined();
    expect(
      writeUp({
        kind: "answered",
        node: NODE,
        copy: 1,
        output: new Uint8Array(1),
        proof: { ...proof, signature: "0" },
      }),
    ).toBeUndefined();
    expect(writeDown({ kind: "cancel", copy: -1 })).toBeUndefined();
  });

  it("of the largest size that is allowed fit into what a broker is asked to carry", () => {
    const longest = "m".repeat(64);
    const most = 2 ** 53 - 1;
    const offers = Array.from({ length: 256 }, () => ({
      model: longest,
      mode: "optimistic" as const,
      priceGwei: most,
    }));
    const site = { operator: longest, region: longest, hardware: longest, slots: most, queueLimit: most };
    const full = {
      id: longest,
      key: "00".repeat(32),
      ...site,
      offers,
      attestation: { hash: "00".repeat(32), epoch: most },
    };
    const document = new Uint8Array(32 * 1024);
    const about = { announcement: "00".repeat(32), encapsulated: "00".repeat(32), number: most };
    const body = write(joinShape, { ...about, terms: full, document });
    const join = write(signedShape, { body, signature: "00".repeat(64) });
    expect(join.length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES.join);
    expect(read(joinShape, body)).not.toBe(INVALID);
    const proof = { kind: "zkml", signature: "00".repeat(128), proof: "00".repeat(4_096) } as const;
    const items = [
      writeUp({ kind: "joined", terms: full, attestation: document }),
      writeUp({ kind: "reported", node: NODE, running: most, queued: most, warm: Array(256).fill(longest) }),
      writeUp({ kind: "answered", node: NODE, copy: most, output: new Uint8Array(65_536), proof }),
    ];
    for (const item of items) {
      expect((item?.length ?? Infinity) + FULL_FRAME_BYTES + SEAL_BYTES + 3).toBeLessThanOrEqual(
        MAX_MESSAGE_BYTES.sealed,
      );
    }
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
