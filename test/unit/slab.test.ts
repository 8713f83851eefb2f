import { expect, test } from "vitest";
import { Slab } from "../../scheduler/shared/slab.ts";

test("a slab that was full once is restored, however many places are free", () => {
  const slab = new Slab<{ readonly id: number }>();
  const records = Array.from({ length: 200_000 }, () => {
    const record = { id: slab.nextId() };
    slab.put(record);
    return record;
  });
  for (const record of records) slab.remove(record);
  const restored = new Slab<{ readonly id: number }>();
  restored.restore(slab.snapshot());
  expect(restored.nextId()).toBe(slab.nextId());
});
