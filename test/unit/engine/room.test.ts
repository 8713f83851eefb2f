import { expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../scheduler/engine/config.ts";
import { Fleet, type FleetClass } from "../../../scheduler/engine/fleet.ts";
import type { Copy } from "../../../scheduler/engine/race.ts";
import { Recorder } from "../../../scheduler/engine/recorder.ts";
import { Random } from "../../../scheduler/shared/random.ts";
import { TimerHeap } from "../../../scheduler/shared/timer-heap.ts";
import { NEVER } from "../../../scheduler/shared/vocabulary.ts";

const NODES = ["a", "b", "c", "d"];

/** What a look at every node says. */
function scanned({ nodes }: FleetClass) {
  const busy = nodes.reduce((sum, { load, slots }) => sum + Math.min(load, slots), 0);
  const slots = nodes.reduce((sum, node) => sum + node.slots, 0);
  return { busy, slots, idle: nodes.filter((node) => node.load < node.slots).length };
}

it.each([1, 2, 3, 4])("the room of a class is that of its nodes, whatever befalls them: seed %d", (seed) => {
  const random = new Random(seed);
  const out = new Recorder();
  const fleet = new Fleet(DEFAULT_CONFIG.races, new TimerHeap(), () => {});
  const join = (id: string, slots: number) => {
    const offers = ["m", "n"]
      .slice(random.below(2))
      .map((model) => ({ model, mode: "vanilla", priceGwei: 1 }) as const);
    return fleet.join({ id, key: "", operator: id, region: "", hardware: "", slots, queueLimit: 2, offers }, out);
  };
  for (const id of NODES) join(id, 2);
  const running: { readonly copy: Copy; readonly node: string }[] = [];
  const seen = new Set<string>();
  for (let event = 0; event < 600; event++) {
    const id = NODES[random.below(NODES.length)] as string;
    const node = fleet.node(id) ?? join(id, 1);
    if (node === undefined) continue;
    const actions = [
      () => join(id, random.below(4)),
      () => fleet.leave(node, out),
      () => fleet.report(node, random.below(5), random.below(3), []),
      () => fleet.quarantine(node, event, "", out),
      () => fleet.rested(node, out),
      () => node.fill(),
      () => {
        const copy = { startedUs: NEVER, executing: true } as Copy;
        node.take(copy, event);
        running.push({ copy, node: id });
      },
      () => {
        const [ended] = running.splice(0, 1);
        if (ended !== undefined) fleet.node(ended.node)?.release(ended.copy, event);
      },
    ];
    actions[random.below(actions.length)]?.();
    for (const served of fleet.classes()) {
      expect(served.roomFor([]), `event ${event}`).toEqual(scanned(served));
      const used = served.nodes.slice(0, 1);
      const left = used.filter((one) => one.load < one.slots).length;
      expect(served.roomFor(used.map((one) => ({ node: one, live: true }))).idle).toBe(scanned(served).idle - left);
      seen.add(JSON.stringify(served.roomFor([])));
    }
  }
  expect(seen.size).toBeGreaterThan(15);
});
