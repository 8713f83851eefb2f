import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AnswerStream, type StreamEnd } from "../../../../scheduler/node/backends/answer-stream.ts";
import { chunk, STOP } from "./chat-server.ts";

function read(pieces: readonly Uint8Array[]): { readonly end: StreamEnd; readonly seen: readonly number[] } {
  const seen: number[] = [];
  const stream = new AnswerStream({ outputBytes: 10_000, onTokens: (tokens) => seen.push(tokens) });
  for (const piece of pieces) stream.feed(piece);
  return { end: stream.end(), seen };
}

/** The bytes, cut at these places (as fractions of the length). */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => Math.floor(place * bytes.length)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

/** Text that takes one to four bytes a character, and characters that events and JSON treat as their own. */
const anyText = fc.string({
  unit: fc.constantFrom("a", "é", "简", "😀", "\n", "\r", '"', "\\", ":", " "),
  maxLength: 8,
});
const place = fc.double({ min: 0, max: 1, noNaN: true });

describe("a stream of events", () => {
  it("gives the same text wherever it is cut, inside characters too", () => {
    fc.assert(
      fc.property(fc.array(anyText, { maxLength: 12 }), fc.array(place, { maxLength: 40 }), (texts, places) => {
        const bytes = new TextEncoder().encode(texts.map(chunk).join("") + STOP);
        const whole = read([bytes]);
        expect(whole.end).toMatchObject({ ok: true, text: texts.join("") });
        expect(read(cut(bytes, places))).toEqual(whole);
        expect(read(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(whole);
      }),
    );
  });

  it.each([
    ["\n", "\r\n"],
    ["\n", "\r"],
  ])("may end its lines otherwise", (lineFeed, other) => {
    const bytes = new TextEncoder().encode((chunk("a") + chunk("b") + STOP).replaceAll(lineFeed, other));
    expect(read(Array.from(bytes, (byte) => Uint8Array.of(byte))).end).toMatchObject({ ok: true, text: "ab" });
  });

  it("never gives a whole answer of a part of its bytes", () => {
    const bytes = new TextEncoder().encode(["to", " be", " or"].map(chunk).join("") + STOP);
    // Up to here the server has not said that the answer is finished.
    const finished = new TextDecoder().decode(bytes).indexOf("stop") + 'stop"}]}\n\n'.length;
    for (let length = 0; length < finished; length++) {
      expect(read([bytes.subarray(0, length)]).end.ok, `${length} bytes`).toBe(false);
    }
    for (let length = finished; length <= bytes.length; length++) {
      expect(read([bytes.subarray(0, length)]).end, `${length} bytes`).toMatchObject({ ok: true, text: "to be or" });
    }
  });

  it("ends the same way whatever garbage comes, and never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(place, { maxLength: 10 }), (garbage, places) => {
        const bytes = Buffer.concat([Buffer.from(chunk("a")), garbage, Buffer.from(`\n\n${STOP}`)]);
        expect(read(cut(bytes, places)).end.ok).toBe(read([bytes]).end.ok);
      }),
    );
  });

  it("counts what a model thinks aloud as progress, and leaves it out of the answer", () => {
    const thought = (delta: object) => `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`;
    const events = [
      thought({ role: "assistant", content: "" }),
      thought({ reasoning_content: "hm" }),
      thought({ reasoning: "so" }),
    ];
    const { end, seen } = read([Buffer.from(events.join("") + chunk("42") + STOP)]);
    expect(end).toEqual({ ok: true, text: "42", tokens: 7 });
    expect(seen).toEqual([1, 2, 3, 7]);
  });

  it("takes the server's count where that is higher, and the first of several choices", () => {
    const events = [
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "ab" } }], usage: { completion_tokens: 5 } })}\n\n`,
      `data: ${JSON.stringify({ choices: [{ index: 1, delta: { content: "other" } }], usage: null })}\n\n`,
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "c" }, finish_reason: "" }] })}\n\n`,
    ];
    const { end, seen } = read([Buffer.from(events.join("") + STOP)]);
    expect(end).toMatchObject({ ok: true, text: "abc" });
    expect(seen).toEqual([1, 5, 6, 7]);
  });

  it("puts a character together whose halves came in two events", () => {
    const half = (content: string) => `data: {"choices": [{"index": 0, "delta": {"content": "${content}"}}]}\n\n`;
    expect(read([Buffer.from(half("\\ud83d") + half("\\ude00") + STOP)]).end).toMatchObject({ text: "😀" });
  });
});
