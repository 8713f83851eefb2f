import { describe, expect, it } from "vitest";
import { drawer } from "../../../sim/swarm/draw.ts";
import { FaultTally } from "../../../sim/swarm/faults.ts";
import { type Message, Network, type NetworkDraw, PERFECT_NETWORK } from "../../../sim/swarm/network.ts";

function make(conditions: Partial<NetworkDraw> = {}): { network: Network; tally: FaultTally } {
  const tally = new FaultTally();
  return { network: new Network({ ...PERFECT_NETWORK, ...conditions }, drawer(7), tally), tally };
}

const from = (node: string, copy: number, atUs: number): Message => ({
  atUs,
  source: "node",
  copy,
  event: { kind: "copy-accepted", copy, node },
});

const verdict = (copy: number, atUs: number): Message => ({
  atUs,
  source: "verifier",
  copy: -1,
  event: { kind: "verdict", copy, accepted: true, reason: "valid" },
});

/** Copies of the messages that arrive, in order, with the times at which they were due. */
function drain(network: Network): string[] {
  const arrived: string[] = [];
  for (let atUs = network.nextAtUs; atUs !== undefined; atUs = network.nextAtUs) {
    const event = network.take();
    if (event !== undefined && "copy" in event) arrived.push(`${event.copy}@${atUs}`);
  }
  return arrived;
}

describe("the network", () => {
  it("delivers by time, and by order of sending at one time", () => {
    const { network } = make();
    for (const message of [from("a", 1, 30), from("b", 2, 10), from("a", 3, 10), verdict(4, 20)]) network.send(message);
    expect(drain(network)).toEqual(["2@10", "3@10", "4@20", "1@30"]);
  });

  it("loses what it is told to lose, but nothing within the scheduler's process", () => {
    const { network, tally } = make({ lose: 1 });
    network.send(from("a", 1, 10));
    network.send(verdict(2, 20));
    expect(network.reaches("a", 0, "x")).toBe(false);
    expect(drain(network)).toEqual(["2@20"]);
    expect(tally.counts["message-lost"]).toBe(2);
  });

  it("duplicates, delays and replays", () => {
    const { network, tally } = make({ duplicate: 1, reorder: 1, reorderMs: 10, replay: 1 });
    network.send(from("a", 1, 1_000));
    const times = drain(network).map((arrival) => Number(arrival.split("@")[1]));
    expect(times).toHaveLength(3);
    expect(Math.max(...times)).toBeGreaterThan(5_000_000);
    const { counts } = tally;
    expect([counts["message-duplicated"], counts["message-reordered"], counts["message-replayed"]]).toEqual([1, 1, 1]);
  });

  it.each([
    { buffered: true, arrives: ["2@20", "1@101"] },
    { buffered: false, arrives: ["2@20"] },
  ])("cuts nodes off, messages kept: $buffered", ({ buffered, arrives }) => {
    const { network } = make();
    network.send(from("a", 1, 10));
    network.send(from("b", 2, 20));
    network.partition(["a"], 100, buffered);
    expect([network.reaches("a", 50), network.reaches("b", 50), network.reaches("a", 101)]).toEqual([
      false,
      true,
      true,
    ]);
    expect(drain(network)).toEqual(arrives);
  });

  it("silences and delays nodes, fails verdicts, and stops what was cancelled", () => {
    const { network } = make();
    for (const message of [from("a", 1, 10), from("b", 2, 10), from("c", 3, 10), verdict(4, 10)]) network.send(message);
    expect([network.silence("a"), network.delay("b", 5), network.failVerdicts(() => undefined)]).toEqual([1, 1, 1]);
    network.withdraw(3);
    expect(drain(network)).toEqual(["2@15"]);
  });

  it("loses in a crash what lived in the process, and of the rest what it is told", () => {
    const { network } = make();
    const send = (): void => {
      network.send(from("a", 1, 10));
      network.send(verdict(2, 10));
      network.send({ ...from("a", 3, 10), source: "fleet" });
    };
    send();
    network.crash(0);
    expect(drain(network)).toEqual(["1@10", "3@10"]);
    send();
    network.crash(1);
    expect(drain(network)).toEqual(["3@10"]);
  });
});
