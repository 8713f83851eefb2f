import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSession, createSessionReceiver } from "../../../scheduler/nats/handshake.ts";
import { HeldCopies } from "../../../scheduler/nats/held-copies.ts";
import { Outbox } from "../../../scheduler/nats/outbox.ts";
import { RateLimit } from "../../../scheduler/nats/rate-limit.ts";
import type { Loss } from "../../../scheduler/nats/refusals.ts";
import { ReplayWindow } from "../../../scheduler/nats/replay-window.ts";
import { Session, sessionIdOf } from "../../../scheduler/nats/session.ts";
import { nodeToken, requireShard, Subjects } from "../../../scheduler/nats/subjects.ts";
import { ID_PATTERN } from "../../../scheduler/proofs/wire-limits.ts";
import { holds } from "../../support/reproducible.ts";

const FILE = "test/unit/nats/session.test.ts";
const SUBJECT = "pipe.v1.s.up.n.sealed";

function ends(maxMessages = 1_000) {
  const keys = { id: "0f".repeat(16), up: new Uint8Array(32).fill(1), down: new Uint8Array(32).fill(2) };
  return [new Session("node", keys, maxMessages), new Session("scheduler", keys, maxMessages)] as const;
}

function sealed(session: Session, plain: Uint8Array, subject = SUBJECT): Uint8Array {
  const found = session.seal(subject, plain);
  if (typeof found === "string") throw new Error(found);
  return found;
}

describe("a session", () => {
  it("carries bytes both ways, each once, under their subject alone", () => {
    const [node, scheduler] = ends();
    for (const [from, to] of [
      [node, scheduler],
      [scheduler, node],
    ] as const) {
      const bytes = sealed(from, Buffer.from("hello"));
      expect(sessionIdOf(bytes)).toBe("0f".repeat(16));
      expect(to.open("pipe.v1.s.up.m.sealed", bytes)).toBe("bad-seal");
      // It is not for whoever sealed it.
      expect(typeof from.open(SUBJECT, bytes)).toBe("string");
      expect(Buffer.from(to.open(SUBJECT, bytes) as Uint8Array).toString()).toBe("hello");
      expect(to.open(SUBJECT, bytes)).toBe("replayed");
    }
  });

  it("refuses a message of which any bit is another", () => {
    const title = "refuses a message of which any bit is another";
    const cases = fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.nat());
    holds(FILE, title, { runs: 500, seconds: 20 }, cases, ([plain, at]) => {
      const [node, scheduler] = ends();
      const bytes = sealed(node, plain);
      const bit = at % (8 * bytes.length);
      const place = Math.floor(bit / 8);
      bytes[place] = (bytes[place] ?? 0) ^ (1 << (bit % 8));
      const isOther = sessionIdOf(bytes) !== scheduler.id;
      return isOther || typeof scheduler.open(SUBJECT, bytes) === "string" ? [] : [`bit ${bit} makes no difference`];
    });
    const [node, scheduler] = ends();
    const bytes = sealed(node, Buffer.from("every single one"));
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const other = Uint8Array.from(bytes);
      const place = Math.floor(bit / 8);
      other[place] = (other[place] ?? 0) ^ (1 << (bit % 8));
      expect(sessionIdOf(other) !== scheduler.id || typeof scheduler.open(SUBJECT, other) === "string").toBe(true);
    }
    expect(typeof scheduler.open(SUBJECT, bytes)).toBe("object");
  });

  it("opens nothing in bytes that were not sealed, and never throws", () => {
    const [, scheduler] = ends();
    const id = Buffer.from(scheduler.id, "hex");
    const bytes = fc.uint8Array({ maxLength: 100 }).map((tail) => Buffer.concat([id, tail]));
    holds(
      FILE,
      "opens nothing in bytes that were not sealed, and never throws",
      { runs: 500, seconds: 20 },
      bytes,
      (some) => (typeof scheduler.open(SUBJECT, some) === "string" ? [] : ["it opened"]),
    );
  });

  it("ends when its keys are used up", () => {
    const [node] = ends(2);
    for (let i = 0; i < 2; i++) sealed(node, new Uint8Array(1));
    expect(node.seal(SUBJECT, new Uint8Array(1))).toBe("session-used-up");
    expect(node.messages).toBe(2);
  });
});

describe("the window of counters", () => {
  it("takes each counter once, in any order within the last 1,024", () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: -1_100, max: 40 }), fc.integer({ min: 0, max: 5_000 })), {
      maxLength: 300,
    });
    holds(
      FILE,
      "takes each counter once, in any order within the last 1,024",
      { runs: 300, seconds: 20 },
      steps,
      (moves) => {
        const window = new ReplayWindow();
        const taken = new Set<number>();
        let next = 0;
        for (const move of moves) {
          const counter = Math.max(0, next + move);
          const expected = !taken.has(counter) && counter >= next - 1_024;
          if (window.isNew(counter) !== expected) return [`${counter} with ${next} next: not ${expected}`];
          if (!expected) continue;
          window.take(counter);
          taken.add(counter);
          next = Math.max(next, counter + 1);
          if (window.next !== next) return ["it lost count"];
        }
        return [];
      },
    );
  });
});

describe("agreeing on keys", () => {
  it("gives both ends the same keys, and other ones for any other node, announcement or receiver", async () => {
    const receiver = await createSessionReceiver();
    const about = { announcement: "aa".repeat(32), node: "n" };
    const { encapsulated, keys } = await createSession(about, receiver.publicKey);
    expect(await receiver.receive(about, encapsulated)).toEqual(keys);
    const others = [
      await receiver.receive({ ...about, node: "m" }, encapsulated),
      await receiver.receive({ ...about, announcement: "ab".repeat(32) }, encapsulated),
      await (await createSessionReceiver()).receive(about, encapsulated),
      (await createSession(about, receiver.publicKey)).keys,
    ];
    const distinct = [keys, ...others].flatMap(({ id, up, down }) => [id, String(up), String(down)]);
    expect(new Set(distinct).size).toBe(15);
  });

  it("refuses keys of low order, with which anybody would know the secret", async () => {
    const receiver = await createSessionReceiver();
    const about = { announcement: "aa".repeat(32), node: "n" };
    await expect(receiver.receive(about, "00".repeat(32))).rejects.toThrow();
    await expect(createSession(about, "00".repeat(32))).rejects.toThrow();
  });
});

describe("subjects", () => {
  it("bear every node's id as one token, and give it back", () => {
    const subjects = new Subjects("shard-0");
    const ids = fc.tuple(fc.stringMatching(ID_PATTERN), fc.stringMatching(ID_PATTERN));
    holds(
      FILE,
      "bear every node's id as one token, and give it back",
      { runs: 300, seconds: 10 },
      ids,
      ([node, other]) => {
        const up = subjects.readUp(subjects.up(node, "sealed"));
        const down = subjects.readDown(subjects.down(node, "sealed"));
        if (up?.node !== node || up.kind !== "sealed" || down?.node !== node) return ["not the same node"];
        if (nodeToken(node).includes(".")) return ["more than one token"];
        return (nodeToken(node) === nodeToken(other)) === (node === other) ? [] : ["two nodes with one token"];
      },
    );
  });

  it("of anybody else are not read, and shards that would make others are refused", () => {
    const subjects = new Subjects("shard-0");
    for (const subject of [
      "pipe.v1.shard-1.up.n.sealed",
      "pipe.v1.shard-0.up.n.answer",
      "pipe.v1.shard-0.up.n",
      "pipe.v1.shard-0.up.n.sealed.more",
      "pipe.v1.shard-0.up.a*b.sealed",
      "pipe.v1.shard-0.down.n.sealed",
      "",
    ]) {
      expect(subjects.readUp(subject)).toBeUndefined();
    }
    for (const shard of ["", "a.b", "a*", ">", "a b", "x".repeat(33)])
      expect(() => requireShard(shard)).toThrow(RangeError);
  });
});

describe("what waits for a server", () => {
  it("is sent in order once it may, and lost when it is too much, too large or too old", () => {
    const losses: Loss[] = [];
    const outbox = new Outbox<number>({
      maxMessages: 3,
      maxBytes: 100,
      maxAgeMs: 10,
      onLoss: (loss) => void losses.push(loss),
    });
    for (const message of [1, 2, 3, 4]) outbox.push(message, 10, message);
    expect(losses).toEqual(["too-many-waiting"]);
    outbox.push(5, 85, 5);
    expect(losses).toHaveLength(3);
    const sent: number[] = [];
    outbox.drain(
      15,
      () => sent.length < 1,
      (message) => void sent.push(message),
    );
    expect([sent, losses.at(-1), outbox.isEmpty]).toEqual([[5], "waited-too-long", true]);
    outbox.push(6, 1, 15);
    outbox.push(7, 1, 20);
    outbox.drain(
      26,
      () => true,
      (message) => void sent.push(message),
    );
    expect([sent, losses.at(-1)]).toEqual([[5, 7], "waited-too-long"]);
  });
});

describe("a rate", () => {
  it("is a second's worth at once, and comes back with time", () => {
    const rate = new RateLimit(2);
    expect([0, 0, 0, 500, 500, 10_000, 10_000, 10_000].map((ms) => rate.take(ms))).toEqual([
      true,
      true,
      false,
      true,
      false,
      true,
      true,
      false,
    ]);
  });
});

describe("held copies", () => {
  it("belong to the leader that asked for them, and orphans to the one that asks again", () => {
    const copies = new HeldCopies(3);
    const concerns = (copy: number) => copies.concerns({ kind: "accepted", node: "n", copy });
    expect([copies.ask(1, 10, 0), copies.ask(2, 20, 0), copies.ask(1, 10, 0), copies.ask(2, 21, 0)]).toEqual([
      "new",
      "new",
      "again",
      "other",
    ]);
    expect([copies.end(1, 5), copies.end(1, 6), copies.end(9, 6)]).toEqual([5, undefined, undefined]);
    copies.orphan();
    expect([concerns(1), concerns(2), copies.hasOrphans]).toEqual([false, false, true]);
    expect(copies.ask(2, 21, 9)).toBe("again");
    expect([concerns(2), copies.hasOrphans, copies.end(2, 10)]).toEqual([true, false, 10]);
    expect(copies.ask(3, 30, 0)).toBe("new");
    copies.orphan();
    expect([copies.abandon(), copies.abandon()]).toEqual([[3], []]);
    for (const copy of [5, 6, 7, 8]) copies.ask(copy, 1, 0);
    expect([concerns(5), concerns(8)]).toEqual([false, true]);
  });
});
