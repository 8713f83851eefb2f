import { isHashHex } from "../proofs/digest.ts";
import { deriveSeed } from "../proofs/keys.ts";
import { assert } from "../shared/assert.ts";
import type { Offer } from "../shared/vocabulary.ts";
import type { EmbeddedNode } from "./embedded-node.ts";
import type { Fault } from "./behaviour/faults.ts";
import type { Latency, LatencyProfile } from "./behaviour/latency-profile.ts";
import { CHAT_70B_ON_A100, CHAT_70B_ON_H100, SMALL_CLASSIFIER } from "./behaviour/latency-profile.ts";

export interface FleetOptions {
  /** 1 to 64 nodes; each is a thread of about 100 MB. */
  readonly count: number;
  /**
   * Secret of the whole fleet, 32 bytes in lower-case hexadecimal; from it and the node's id each node's seeds are derived,
   * that of its key and that of its luck.
   */
  readonly seedHex: string;
  /** `modelled`: as on the hardware that the node claims. `none`: as fast as the models compute. */
  readonly latency: "modelled" | "none";
  /** `some`: of every eight nodes one is slow, dead, erroring, signing wrongly, deaf to Cancel. `none`: all are honest. */
  readonly faults: "some" | "none";
}

const MAX_NODES = 64;

interface Site {
  readonly operator: string;
  readonly region: string;
  readonly hardware: string;
  readonly speed: number;
  readonly riskPriceGwei: number;
  readonly chatPriceGwei: number;
  readonly fault: Fault;
}

const H100 = "h100-tp8";
const A100 = "a100-tp8";
const CHAT_PROFILES: Readonly<Record<string, LatencyProfile>> = { [H100]: CHAT_70B_ON_H100, [A100]: CHAT_70B_ON_A100 };

/** Ordered so that a fleet of six keeps three honest nodes of three operators. Prices follow speed, not honesty. */
const SITES: readonly Site[] = [
  site("alder", "eu-west", H100, 1.05, [1_200, 42_000], { kind: "none" }),
  site("birch", "us-east", A100, 1, [900, 30_000], { kind: "none" }),
  site("cedar", "ap-south", H100, 0.95, [1_100, 38_000], { kind: "slow", factor: 3 }),
  site("dogwood", "us-west", H100, 1, [1_150, 40_000], { kind: "none" }),
  site("elm", "eu-north", A100, 0.9, [800, 27_000], { kind: "wrong-signature" }),
  site("fir", "sa-east", A100, 1.1, [950, 32_000], { kind: "erroring", fraction: 0.5 }),
  site("ginkgo", "ap-east", H100, 1.15, [1_300, 45_000], { kind: "never-cancels" }),
  site("hazel", "af-south", A100, 0.85, [700, 25_000], { kind: "dead" }),
];

function site(
  operator: string,
  region: string,
  hardware: string,
  speed: number,
  [riskPriceGwei, chatPriceGwei]: readonly [number, number],
  fault: Fault,
): Site {
  return { operator, region, hardware, speed, riskPriceGwei, chatPriceGwei, fault };
}

/**
 * A fleet for demonstrations and tests: nodes `alder-1`, `birch-1`, …, `alder-2`, …, each of its own operator up to eight.
 * Throws a RangeError for a malformed seed.
 */
export function defaultFleet(options: FleetOptions): readonly EmbeddedNode[] {
  const { count, seedHex } = options;
  if (!isHashHex(seedHex)) throw new RangeError("a fleet's seedHex is 64 lower-case hexadecimal digits");
  assert(Number.isSafeInteger(count) && count >= 1 && count <= MAX_NODES, `a fleet has 1 to ${MAX_NODES} nodes`);
  return Array.from({ length: count }, (_, index) => {
    const at = SITES[index % SITES.length];
    assert(at !== undefined, "the list of sites is not empty");
    return nodeAt(at, Math.floor(index / SITES.length) + 1, options);
  });
}

function nodeAt(at: Site, ordinal: number, options: FleetOptions): EmbeddedNode {
  const id = `${at.operator}-${ordinal}`;
  return {
    id,
    operator: at.operator,
    region: at.region,
    hardware: at.hardware,
    slots: 4,
    queueLimit: 16,
    offers: offersAt(at),
    speed: at.speed,
    fault: options.faults === "some" ? at.fault : { kind: "none" },
    seedHex: derivedHex(options.seedHex, `node/${id}`),
    luckHex: derivedHex(options.seedHex, `luck/${id}`),
    latency: options.latency === "none" ? { kind: "none" } : latencyOn(at.hardware),
  };
}

function derivedHex(seedHex: string, purpose: string): string {
  return Buffer.from(deriveSeed(Buffer.from(seedHex, "hex"), purpose)).toString("hex");
}

function offersAt(at: Site): readonly Offer[] {
  return [
    { model: "risk-small", mode: "vanilla", priceGwei: at.riskPriceGwei },
    { model: "chat-mini", mode: "vanilla", priceGwei: at.chatPriceGwei },
  ];
}

function latencyOn(hardware: string): Latency {
  const chat = CHAT_PROFILES[hardware];
  assert(chat !== undefined, `no latency profile for ${hardware}`);
  return { kind: "modelled", profiles: { "risk-small": SMALL_CLASSIFIER, "chat-mini": chat } };
}
