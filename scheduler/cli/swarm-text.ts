import type { Command } from "../engine/recorder.ts";
import { FAULT_KINDS } from "../../sim/swarm/faults.ts";
import type { SwarmReport } from "../../sim/swarm/pool.ts";
import type { SeedResult } from "../../sim/swarm/run.ts";
import type { Scenario } from "../../sim/swarm/scenario.ts";
import type { Step } from "../../sim/swarm/shell.ts";

/** The swarm's words for the terminal. */

export function progressLine({ seeds, failures, seedsPerMinute, jobs }: SwarmReport, all: number): string {
  const failed = failures === 0 ? "" : `, ${failures} failed`;
  return `${seeds} of ${all} seeds${failed}, ${count(jobs)} jobs, ${seedsPerMinute} seeds per minute`;
}

export function formatSwarm(report: SwarmReport, smallest: Scenario | undefined): string {
  const { seeds, failures, failed, elapsedMs, seedsPerMinute, neverFired } = report;
  const lines = [
    `${count(seeds)} seeds in ${(elapsedMs / 1_000).toFixed(1)} s (${seedsPerMinute} per minute)`,
    `${count(report.transactions)} transactions, ${count(report.jobs)} races, ${count(report.copies)} copies, ` +
      `${count(report.decided)} decisions, ${count(report.committed)} commits, ${count(report.events)} events`,
    "",
    "faults that had an effect:",
    ...table(FAULT_KINDS.map((kind) => `${kind} ${count(report.faults[kind])}`)),
    ...(neverFired.length > 0 ? [`never: ${neverFired.join(", ")}`] : []),
    "",
    failures === 0 ? "every promise was kept at every step" : `${failures} seeds broke a promise`,
    ...failed.map((result) => formatViolations(result).trimEnd()),
    ...(smallest === undefined ? [] : ["smallest scenario found:", JSON.stringify(smallest)]),
  ];
  return `${lines.join("\n")}\n`;
}

/** What a seed broke, and the one command that shows it again. */
export function formatViolations({ seed, violations }: SeedResult): string {
  if (violations.length === 0) return `seed ${seed}: every promise was kept\n`;
  const lines = violations.map(({ promise, step, message }) => `  ${promise} at step ${step}: ${message}`);
  return [`seed ${seed}:`, ...lines, `  again: npx pipe sim swarm --seeds ${seed}..${seed} --trace`, ""].join("\n");
}

/** One event with its commands, in a few lines. */
export function formatStep({ atUs, event, commands }: Step): string {
  const { kind, ...rest } = event;
  const head = `${(atUs / 1_000).toFixed(3)} ms  ${kind} ${JSON.stringify(rest)}\n`;
  return head + commands.map((command) => `    → ${formatCommand(command)}\n`).join("");
}

function formatCommand(command: Command): string {
  switch (command.kind) {
    case "dispatch":
    case "verify":
    case "cancel":
    case "lost": {
      const { id, node, race, speculative } = command.copy;
      const why = "reason" in command ? ` (${command.reason})` : "";
      return `${command.kind} copy ${id} on ${node.id} of ${race.tx.hash}/${race.callIndex}${speculative ? ", speculative" : ""}${why}`;
    }
    case "accepted":
    case "preExecute":
    case "notify": {
      const { hash, id, state, lane, round } = command.transaction;
      return `${command.kind} ${hash} (tx ${id}, ${state}, ${lane}, round ${round})`;
    }
    case "sealed":
      return `sealed ${command.block.height}: ${command.block.transactions.map(({ hash }) => hash).join(" ")}`;
    case "decided": {
      const { txHash, callIndex, copy, node, feeGwei } = command.result;
      return `decided ${txHash}/${callIndex}: copy ${copy} on ${node} for ${feeGwei} gwei`;
    }
    default: {
      const { kind, ...rest } = command;
      return `${kind} ${JSON.stringify(rest)}`;
    }
  }
}

/** Entries in three columns. */
function table(entries: readonly string[]): string[] {
  const rows = Math.ceil(entries.length / 3);
  return Array.from({ length: rows }, (_, row) =>
    [0, 1, 2]
      .map((column) => (entries[column * rows + row] ?? "").padEnd(34))
      .join("")
      .replace(/^/, "  ")
      .trimEnd(),
  );
}

function count(value: number): string {
  return value.toString().replace(/\B(?=(?:\d{3})+$)/g, ",");
}
