import { describe, expect, it } from "vitest";
import type { NodeMessage } from "../../../scheduler/live/transport.ts";
import { CopyMemory } from "../../../scheduler/node/copy-memory.ts";

const word = (copy: number): NodeMessage => ({ kind: "failed", node: "n", copy, reason: "error" });

describe("what a node remembers of copies that are over", () => {
  it("is the last word on that assignment", () => {
    const memory = new CopyMemory(4);
    expect(memory.recall(1, 10)).toBe("new");
    memory.rememberEnd(1, 10, word(1));
    expect(memory.recall(1, 10)).toEqual(word(1));
    expect(memory.recall(1, 11)).toBe("new");
  });

  it("is a Cancel that came first, once", () => {
    const memory = new CopyMemory(4);
    memory.rememberCancel(1);
    expect(memory.recall(1, 10)).toBe("cancelled");
    expect(memory.recall(1, 10)).toBe("new");
  });

  it("is not changed by a Cancel that came too late", () => {
    const memory = new CopyMemory(4);
    memory.rememberEnd(1, 10, word(1));
    memory.rememberCancel(1);
    expect(memory.recall(1, 10)).toEqual(word(1));
  });

  it("is bounded, and forgets the oldest first (P11)", () => {
    const memory = new CopyMemory(3);
    for (const copy of [1, 2, 3]) memory.rememberEnd(copy, 0, word(copy));
    memory.rememberEnd(1, 0, word(1));
    memory.rememberCancel(4);
    expect(memory.size).toBe(3);
    expect(memory.recall(2, 0)).toBe("new");
    expect(memory.recall(1, 0)).toEqual(word(1));
    expect(memory.recall(4, 0)).toBe("cancelled");
  });
});
