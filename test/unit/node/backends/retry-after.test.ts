import { expect, it } from "vitest";
import { retryAfterMs } from "../../../../scheduler/node/backends/retry-after.ts";

const NOW_MS = Date.UTC(2026, 0, 1, 12, 0, 0);

it.each([
  [null, undefined],
  ["", undefined],
  ["soon", undefined],
  ["-5", undefined],
  ["2026", 2_026_000],
  ["0", 0],
  [" 3 ", 3_000],
  ["0.25", 250],
  ["Thu, 01 Jan 2026 12:00:07 GMT", 7_000],
  ["Thu, 01 Jan 2026 11:00:00 GMT", 0],
  ["Thursday", undefined],
])("Retry-After: %s", (header, expected) => {
  expect(retryAfterMs(header, NOW_MS)).toBe(expected);
});
