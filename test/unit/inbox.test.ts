import { expect, test } from "vitest";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { Inbox, type InboxItem } from "../../scheduler/live/inbox.ts";
import { DEFAULT_LIVE_LIMITS } from "../../scheduler/live/limits.ts";

const LIMITS = { ...DEFAULT_LIVE_LIMITS, maxBatchEvents: 16, maxWaitingMessages: 100, maxBlobBytes: 1_000 };

function joined(node: string, slots: number): InboxItem {
  const terms = { id: node, key: "", operator: "o", region: "r", hardware: "h", slots, queueLimit: 0, offers: [] };
  return { event: { kind: "node-joined", node: terms }, blobs: [], asker: undefined };
}

function left(node: string): InboxItem {
  return { event: { kind: "node-left", node }, blobs: [], asker: undefined };
}

function answer(bytes: number): InboxItem {
  const event: EngineEvent = { kind: "copy-answered", copy: 1, node: "n", outputHash: "", answerHash: "" };
  return { event, blobs: [{ hash: "", bytes: new Uint8Array(bytes) }], asker: undefined };
}

test("P11: a node that joins and leaves all the time takes no more room than its last words, and keeps their sense", () => {
  const inbox = new Inbox(LIMITS);
  for (let slots = 1; slots <= 10_000; slots++) {
    inbox.registration("restless", left("restless"));
    inbox.registration("restless", joined("restless", slots));
    inbox.registration("restless", joined("restless", slots + 1));
  }
  inbox.registration("gone", joined("gone", 1));
  inbox.registration("gone", left("gone"));
  expect(inbox.drain()).toEqual([left("restless"), joined("restless", 10_001), left("gone")]);
});

test("P11: many nodes that join at once leave room for replies, messages and requests", () => {
  const inbox = new Inbox(LIMITS);
  for (let i = 0; i < 1_000; i++) inbox.registration(`node-${i}`, joined(`node-${i}`, 1));
  expect(inbox.length).toBe(100);
  expect(inbox.dropped).toBe(900);
  inbox.reply(left("reply"));
  inbox.message(answer(1));
  inbox.request(answer(2));
  const batch = inbox.drain();
  expect(batch.slice(-3)).toEqual([left("reply"), answer(1), answer(2)]);
});

test("P11: answers that wait are bounded in bytes, and give their room back", () => {
  const inbox = new Inbox(LIMITS);
  for (let i = 0; i < 10; i++) inbox.message(answer(300));
  expect(inbox.dropped).toBe(7);
  expect(inbox.drain()).toHaveLength(3);
  inbox.message(answer(1_000));
  expect(inbox.dropped).toBe(7);
  inbox.request(answer(40));
  expect(inbox.requestBytes).toBe(40);
  inbox.drain();
  expect(inbox.requestBytes).toBe(0);
});
