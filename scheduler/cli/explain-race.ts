import type { PlacementSpec } from "../../policies/placement.ts";
import type { Explanation, PolicySpec } from "../../policies/policy.ts";
import type { Rejection } from "../../mempool/rejection.ts";
import type { Command } from "../engine/recorder.ts";
import type { ExplainJob } from "./explain-job.ts";
import { callOf, type ExplainWorld, raced } from "./explain-world.ts";

/** What happens, on the engine's word, when nobody answers. Times in microseconds from the race's opening. */
export type RaceStep =
  | {
      readonly kind: "launched";
      readonly atUs: number;
      readonly node: string;
      readonly speculative: boolean;
      /** P(sealed in one of its blocks), as the engine tells it after this launch, nobody having answered so far. */
      readonly estimate: number;
      /** Speculative work that could still be reserved after it. */
      readonly budgetUs: number;
    }
  | { readonly kind: "lost"; readonly atUs: number; readonly node: string; readonly reason: string }
  | { readonly kind: "budget-exhausted"; readonly atUs: number }
  | { readonly kind: "slow-lane"; readonly atUs: number; readonly reason: string };

export interface DryRace {
  readonly rejection: Rejection | undefined;
  readonly steps: readonly RaceStep[];
  /** When its last block seals, from the opening. */
  readonly deadlineUs: number;
  /** What the policies themselves say of the race, when its first copies are out. */
  readonly explanations: readonly Explanation[];
}

/** In 64 hexadecimal digits, as transactions' hashes are; no real one has this. */
const HASH = "e".repeat(64);
/** More than any race launches. */
const MAX_STEPS = 1_000;

/** Opens the race in this world under this policy, lets its nodes accept and never answer, and notes what the engine does. */
export function dryRace(world: ExplainWorld, job: ExplainJob, policy: PolicySpec | undefined): DryRace {
  const { engine } = world;
  const { rejection, commands, deadlineUs } = openRace(world, job, policy);
  const openedUs = world.nowUs;
  const steps: RaceStep[] = [];
  const note = (command: Command): void => {
    const atUs = world.nowUs - openedUs;
    switch (command.kind) {
      case "dispatch": {
        const { id, node, race, speculative } = command.copy;
        if (race.tx.hash !== HASH) return;
        world.tell({ kind: "copy-accepted", copy: id, node: node.id });
        const estimate = engine.estimate(HASH, world.nowUs).at(-1)?.probability ?? 0;
        steps.push({ kind: "launched", atUs, node: node.id, speculative, estimate, budgetUs: engine.sizes.budgetUs });
        return;
      }
      case "lost": {
        const { node, race } = command.copy;
        if (race.tx.hash === HASH) steps.push({ kind: "lost", atUs, node: node.id, reason: command.reason });
        return;
      }
      case "alarm": {
        const { alarm } = command;
        if (alarm.kind !== "budget-exhausted" || alarm.model !== job.model || alarm.mode !== job.mode) return;
        // It is tried again and again.
        if (steps.at(-1)?.kind !== "budget-exhausted") steps.push({ kind: "budget-exhausted", atUs });
        return;
      }
      case "notify": {
        const { hash, lane, slowReason } = command.transaction;
        if (hash !== HASH || lane !== "slow" || steps.some(({ kind }) => kind === "slow-lane")) return;
        steps.push({ kind: "slow-lane", atUs, reason: slowReason ?? "" });
        return;
      }
      default:
        return;
    }
  };
  commands.forEach(note);
  const explanations = engine.explain(HASH, world.nowUs);
  while (engine.nextWakeUs() - openedUs <= deadlineUs && steps.length < MAX_STEPS) {
    world.nowUs = Math.max(world.nowUs, engine.nextWakeUs());
    world.tell({ kind: "woken" }).forEach(note);
  }
  return { rejection, steps, deadlineUs, explanations };
}

/** The nodes that the placement takes, best first, as far as there are any: it is asked for as many copies as a race may have. */
export function rankedNodes(
  world: ExplainWorld,
  job: ExplainJob,
  placement: PlacementSpec | undefined,
  copies: number,
): readonly string[] {
  const policy: PolicySpec = {
    kind: "rules",
    name: "all at once",
    rules: [
      {
        name: "all",
        when: {},
        policy: { kind: "fixed", copies },
        ...(placement === undefined ? {} : { placement }),
      },
    ],
  };
  const { commands } = openRace(world, job, policy);
  return commands.flatMap((command) =>
    command.kind === "dispatch" && command.copy.race.tx.hash === HASH ? command.copy.node.id : [],
  );
}

function openRace(world: ExplainWorld, job: ExplainJob, policy: PolicySpec | undefined) {
  const { engine } = world;
  const { sender, maxFeeGwei, blocks, blockMs } = job;
  if (policy !== undefined) world.tell({ kind: "policy-changed", policy });
  world.tell({ kind: "deposited", account: sender, amountGwei: Math.max(1, maxFeeGwei) });
  const intervalUs = Math.round(1_000 * blockMs);
  world.tell({ kind: "block-opened", height: engine.sizes.height + 1, sealAtUs: world.nowUs + intervalUs });
  const nonce = engine.account(sender)?.nextNonce ?? 0;
  const commands = raced(world, { sender, nonce, ttlBlocks: blocks, call: callOf(job, HASH) });
  const refused = commands.find((command) => command.kind === "rejected" && command.hash === HASH);
  const lastSealUs = engine.estimate(HASH, world.nowUs).at(-1)?.sealAtUs ?? world.nowUs + blocks * intervalUs;
  return {
    rejection: refused?.kind === "rejected" ? refused.rejection : undefined,
    commands,
    deadlineUs: lastSealUs - world.nowUs,
  };
}
