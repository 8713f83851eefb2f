import fc from "fast-check";
import { expect, test } from "vitest";
import { EventHub } from "../../../scheduler/http/event-hub.ts";
import type { PipeEvent } from "../../../scheduler/live/notices.ts";

const committed = (height: number): PipeEvent => ({ kind: "committed", height });

/** What a reader of the text understands: heights, and what it is told that it missed. */
function understood(text: string): {
  readonly heights: number[];
  readonly missed: (number | null)[];
  readonly id: string;
} {
  const heights: number[] = [];
  const missed: (number | null)[] = [];
  let id = "";
  for (const frame of text.split("\n\n").slice(0, -1)) {
    const [, found = "", event, data = ""] = /^id: (\S+)\nevent: (\S+)\ndata: (.*)$/.exec(frame) ?? [];
    id = found;
    const said = JSON.parse(data);
    expect(said.kind).toBe(event);
    if (event === "lagged") missed.push(said.missed);
    else heights.push(said.height);
  }
  return { heights, missed, id };
}

test("a follower hears everything once and in order, or is told how much is missing, however it reads", () => {
  const steps = fc.array(
    fc.oneof(fc.record({ publish: fc.nat(9) }), fc.record({ read: fc.nat(400) }), fc.constant("reconnect")),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), steps, (capacity, plan) => {
      const hub = new EventHub(capacity);
      let cursor = hub.begin(undefined);
      let lastId = /id: (\S+)/.exec(hub.greeting(cursor))?.[1] ?? "";
      let published = 0;
      let expected = 1;
      const take = (characters: number): void => {
        const { text, cursor: next } = hub.read(cursor, characters);
        cursor = next;
        const { heights, missed, id } = understood(text);
        for (const count of missed) expected += count as number;
        for (const height of heights) expect(height).toBe(expected++);
        if (id !== "") lastId = id;
      };
      for (const step of plan) {
        if (step === "reconnect") cursor = hub.begin(lastId);
        else if ("read" in step) take(step.read);
        else for (let i = 0; i < step.publish; i++) hub.publish(committed(++published));
      }
      while (!hub.isWaiting(cursor)) take(10);
      expect(expected).toBe(published + 1);
    }),
  );
});

test("who comes back from another life, or with an id that never was, is told that it missed an unknown number", () => {
  const hub = new EventHub(4);
  for (const id of ["00000000-1", `${hub.epoch}-99`, "nonsense", "", `${hub.epoch}--1`, `${hub.epoch}-1e3`]) {
    const cursor = hub.begin(id);
    expect(hub.isWaiting(cursor)).toBe(false);
    expect(understood(hub.read(cursor, 1_000).text)).toMatchObject({ missed: [null], heights: [] });
  }
});

test("who waits is woken once, by an event or by the end", () => {
  const hub = new EventHub(4);
  let woken = 0;
  const wake = (): void => void woken++;
  hub.onNews(wake);
  const forget = hub.onNews(() => expect.unreachable("it was taken back"));
  forget();
  hub.publish(committed(1));
  hub.publish(committed(2));
  expect(woken).toBe(1);
  hub.onNews(wake);
  hub.end();
  expect([woken, hub.ended]).toEqual([2, true]);
});
