import type { ConflictRule } from "../../scheduler/shared/vocabulary.ts";
import type { CallResult, CopyView, Movement, OrderEntry, TransactionView } from "../../scheduler/engine/commands.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Command } from "../../scheduler/engine/recorder.ts";
import type { Mutant, Tampering } from "./tampering.ts";
import { BUDGET_MUTANTS, RARE_BUDGET_MUTANTS } from "./budget-mutants.ts";

type Kind = Command["kind"];
type Of<K extends Kind> = Command & { readonly kind: K };

/** Changes the first command of a kind for which the change gives something else. */
function once<K extends Kind>(kind: K, change: (command: Of<K>) => readonly Command[] | undefined): () => Tampering {
  return () => {
    let done = false;
    return {
      say: (commands) =>
        commands.flatMap((command) => {
          const changed = done || command.kind !== kind ? undefined : change(command as Of<K>);
          if (changed === undefined) return [command];
          done = true;
          return changed;
        }),
    };
  };
}

const movement = (kind: Movement["kind"], change: (movement: Movement) => readonly Movement[]): (() => Tampering) =>
  once("moved", (command) =>
    command.movement.kind === kind && command.movement.amountGwei > 0
      ? change(command.movement).map((changed) => ({ kind: "moved", movement: changed }))
      : undefined,
  );

const entry = (kind: OrderEntry["entry"], change: (entry: OrderEntry) => readonly OrderEntry[]): (() => Tampering) =>
  once("ordered", (command) =>
    command.entry.entry === kind
      ? change(command.entry).map((changed) => ({ kind: "ordered", entry: changed }))
      : undefined,
  );

/** Each accepted answer of a straggler, too, is declared a winner. */
function twoWinners(): Tampering {
  const won = new Map<string, CallResult>();
  return {
    say: (commands) =>
      commands.flatMap((command) => {
        if (command.kind === "decided") won.set(`${command.result.txHash}/${command.result.callIndex}`, command.result);
        if (command.kind !== "cancel" || command.reason !== "race-decided") return [command];
        const { race, node, nonce, id } = command.copy;
        const first = won.get(`${race.tx.hash}/${race.callIndex}`);
        return first === undefined
          ? [command]
          : [command, { kind: "decided", result: { ...first, copy: id, node: node.id, nonce } }];
      }),
  };
}

/** Answers are taken for good without asking the verifier. */
function unverified(): Tampering {
  return {
    say: (commands, _event, tell) =>
      commands.flatMap((command) =>
        command.kind === "verify"
          ? tell({ kind: "verdict", copy: command.copy.id, accepted: true, reason: "trust" })
          : [command],
      ),
  };
}

/** A verdict counts whatever it says. */
function everyVerdictAccepts(): Tampering {
  return { hear: (event) => (event.kind === "verdict" ? { ...event, accepted: true } : event) };
}

/** Whoever speaks is taken for the node that was asked. */
function anyoneAnswers(): Tampering {
  const nodes = new Map<number, string>();
  return {
    hear: (event) => (event.kind === "copy-answered" ? { ...event, node: nodes.get(event.copy) ?? event.node } : event),
    say: (commands) => {
      for (const command of commands) if (command.kind === "dispatch") nodes.set(command.copy.id, command.copy.node.id);
      return commands;
    },
  };
}

/** Another proof of the same output is taken for another answer. */
function comparesProofs(): Tampering {
  const first = new Map<number, { outputHash: string; answerHash: string }>();
  return {
    say: (commands, event) => {
      if (event.kind !== "copy-answered") return commands;
      const { copy, node, outputHash, answerHash: secondAnswerHash } = event;
      const known = first.get(copy);
      if (known === undefined) first.set(copy, event);
      if (known === undefined || known.outputHash !== outputHash || known.answerHash === secondAnswerHash)
        return commands;
      const evidence = { copy, node, firstAnswerHash: known.answerHash, secondAnswerHash };
      return [...commands, { kind: "evidence", evidence }];
    },
  };
}

/** Whoever speaks in a node's name is believed to be the node. */
function unsignedEvidence(): Tampering {
  return {
    say: (commands, _event, tell) =>
      commands.flatMap((command) =>
        command.kind === "suspect"
          ? [command, ...tell({ kind: "suspicion-judged", copy: command.suspicion.copy, signed: true })]
          : [command],
      ),
  };
}

/** Each assignment has the nonce of the one before. */
function sameNonce(): Tampering {
  let last: number | undefined;
  return {
    say: (commands) =>
      commands.map((command) => {
        if (command.kind !== "dispatch") return command;
        const copy: CopyView = { ...command.copy, nonce: last ?? command.copy.nonce };
        last = copy.nonce;
        return { ...command, copy };
      }),
  };
}

/** A node's failure is blamed on the transaction: it is thrown out. */
function failureEndsTransaction(): Tampering {
  const owners = new Map<number, TransactionView | { id: number; hash: string }>();
  return {
    say: (commands, event, tell) => {
      for (const command of commands)
        if (command.kind === "dispatch") owners.set(command.copy.id, command.copy.race.tx);
      const owner = event.kind === "copy-failed" ? owners.get(event.copy) : undefined;
      return owner === undefined ? commands : [...commands, ...tell({ kind: "withdrawn", hash: owner.hash })];
    },
  };
}

/** The first accepted transaction with calls is forgotten, and nobody hears of it again. */
function lostTransaction(): Tampering {
  let lost: { readonly id: number; readonly hash: string } | undefined;
  const about = (command: Command): boolean =>
    command.kind === "notify" || command.kind === "preExecute"
      ? command.transaction.id === lost?.id
      : command.kind === "moved"
        ? command.movement.txHash === lost?.hash
        : command.kind === "ordered"
          ? command.entry.txHash === lost?.hash
          : command.kind === "dispatch" || command.kind === "cancel" || command.kind === "verify"
            ? command.copy.race.tx.id === lost?.id
            : false;
  return {
    say: (commands, _event, tell) => {
      if (lost !== undefined) return commands.filter((command) => !about(command));
      const accepted = commands.find((command) => command.kind === "accepted" && command.transaction.escrowGwei > 0);
      if (accepted?.kind !== "accepted") return commands;
      lost = { id: accepted.transaction.id, hash: accepted.transaction.hash };
      tell({ kind: "withdrawn", hash: lost.hash });
      return commands;
    },
  };
}

/** Of two jobs that wait in a queue, the later one is launched. */
function overtaking(): Tampering {
  const waiting = new Map<string, OrderEntry>();
  return {
    say: (commands) =>
      commands.map((command) => {
        if (command.kind !== "ordered") return command;
        const { entry } = command;
        const job = `${entry.txHash}/${entry.callIndex}`;
        if (entry.entry === "queued") waiting.set(job, entry);
        else waiting.delete(job);
        const last = [...waiting.values()].findLast(({ queue }) => queue === entry.queue);
        if (entry.entry !== "launched" || last === undefined) return command;
        return { ...command, entry: { ...last, entry: "launched", atUs: entry.atUs } };
      }),
  };
}

/** A block carries a transaction whose calls have no results yet. */
function partialSeal(): Tampering {
  return {
    say: (commands) =>
      commands.map((command) => {
        if (command.kind !== "sealed") return command;
        const transactions = command.block.transactions.map((view) => ({
          ...view,
          calls: view.calls.map((call, index) => (index === 0 ? { ...call, result: undefined } : call)),
        }));
        return { ...command, block: { ...command.block, transactions } };
      }),
  };
}

/** Part of a transaction's calls is left out of the block. */
function fewerCalls(): Tampering {
  return {
    say: (commands) =>
      commands.map((command) => {
        if (command.kind !== "sealed") return command;
        const transactions = command.block.transactions.map((view) => ({ ...view, calls: view.calls.slice(1) }));
        return { ...command, block: { ...command.block, transactions } };
      }),
  };
}

/** Results are thought to be good for ever. */
function immortalResults(): Tampering {
  const forever = <T extends { readonly validityBlocks: number }>(call: T): T => ({ ...call, validityBlocks: 1_000 });
  return {
    hear: (event) => {
      if (event.kind === "calls-discovered") return { ...event, calls: event.calls.map(forever) };
      if (event.kind !== "submitted" || event.transaction.calls === undefined) return event;
      return { ...event, transaction: { ...event.transaction, calls: event.transaction.calls.map(forever) } };
    },
  };
}

/** One accepted answer is enough, whatever the call's rule. */
function oneAnswerIsEnough(): Tampering {
  const any = <T extends { readonly conflict: ConflictRule }>(call: T): T => ({
    ...call,
    conflict: { kind: "first-valid" },
  });
  return {
    hear: (event) => {
      if (event.kind === "calls-discovered") return { ...event, calls: event.calls.map(any) };
      if (event.kind !== "submitted" || event.transaction.calls === undefined) return event;
      return { ...event, transaction: { ...event.transaction, calls: event.transaction.calls.map(any) } };
    },
  };
}

/** Every node is taken for an operator of its own. */
function everyNodeAnOperator(): Tampering {
  return {
    hear: (event) =>
      event.kind === "node-joined" ? { ...event, node: { ...event.node, operator: event.node.id } } : event,
  };
}

/** Deaf to one kind of event. */
const deafTo = (kind: EngineEvent["kind"]) => (): Tampering => ({
  hear: (event) => (event.kind === kind ? undefined : event),
});

/** The time to live is doubled. */
function longLives(): Tampering {
  return {
    hear: (event) =>
      event.kind === "submitted"
        ? {
            ...event,
            transaction: { ...event.transaction, ttlBlocks: Math.min(64, event.transaction.ttlBlocks * 2 + 4) },
          }
        : event,
  };
}

/** Nobody is told of the slow lane until it is over. */
function secretSlowLane(): Tampering {
  return {
    say: (commands) =>
      commands.filter(
        (command) =>
          command.kind !== "notify" ||
          command.transaction.lane === "fast" ||
          command.transaction.state === "sealed" ||
          command.transaction.state === "refunded",
      ),
  };
}

const nothing = (): readonly [] => [];

export const MUTANTS: readonly Mutant[] = [
  { name: "declares a second winner", breaks: ["P1", "P2", "P3"], plant: twoWinners },
  { name: "decides the same race twice", breaks: ["P1"], plant: once("decided", (command) => [command, command]) },
  { name: "skips verification", breaks: ["P2"], plant: unverified },
  { name: "takes every verdict for yes", breaks: ["P2"], plant: everyVerdictAccepts },
  { name: "takes an answer from anyone", breaks: ["P2", "P3"], plant: anyoneAnswers },
  { name: "decides by one answer where several are asked for", breaks: ["P2"], plant: oneAnswerIsEnough },
  { name: "asks one operator twice", breaks: ["P2"], shows: /one operator/, plant: everyNodeAnOperator },
  {
    name: "takes one challenger's word against the winner's",
    breaks: ["P2"],
    plant: once("challengeEnded", ({ outcome }) =>
      outcome.verdict === "upheld" && outcome.dissenter === ""
        ? [{ kind: "challengeEnded", outcome: { ...outcome, verdict: "overturned" } }]
        : undefined,
    ),
  },
  {
    name: "pays while the result can be challenged",
    breaks: ["P5"],
    shows: /while it can be challenged/,
    plant: () => ({}),
    configure: (config) => ({ ...config, optimistic: { ...config.optimistic, challengeBlocks: 0 } }),
  },
  { name: "takes a bond out of nothing", breaks: ["P5"], plant: movement("bonded", nothing) },
  { name: "takes a second proof for a second answer", breaks: ["P3"], plant: comparesProofs },
  { name: "convicts a node of what it did not sign", breaks: ["P3"], plant: unsignedEvidence },
  { name: "lets go who signed two answers", breaks: ["P3"], plant: once("evidence", nothing) },
  { name: "dispatches the same nonce twice", breaks: ["P3"], plant: sameNonce },
  { name: "blames the transaction for its node", breaks: ["P4"], plant: failureEndsTransaction },
  {
    name: "gives up a copy for nothing",
    breaks: ["P4"],
    plant: once("dispatch", (command) => [command, { kind: "lost", copy: command.copy, reason: "error" }]),
  },
  { name: "pays twice", breaks: ["P5"], plant: movement("paid", (paid) => [paid, paid]) },
  {
    name: "pays one gwei too much",
    breaks: ["P5"],
    plant: movement("paid", (paid) => [{ ...paid, amountGwei: paid.amountGwei + 1 }]),
  },
  { name: "pays the wrong node", breaks: ["P5"], plant: movement("paid", (paid) => [{ ...paid, account: "thief" }]) },
  { name: "leaks escrow", breaks: ["P5"], plant: movement("refunded", nothing) },
  { name: "escrows nothing", breaks: ["P5"], plant: movement("escrowed", nothing) },
  { name: "keeps the fee after a reorg", breaks: ["P5"], plant: movement("unpaid", nothing) },
  ...BUDGET_MUTANTS,
  { name: "does not answer a seal request", breaks: ["P7"], plant: once("sealed", nothing) },
  {
    name: "seals when nobody asked",
    breaks: ["P7"],
    plant: once("committed", (command) => [
      command,
      { kind: "sealed", block: { height: command.height, sealedUs: 0, transactions: [] } },
    ]),
  },
  { name: "loses a transaction silently", breaks: ["P8", "P5", "P9", "P11"], plant: lostTransaction },
  { name: "lets transactions live too long", breaks: ["P8"], plant: longLives },
  {
    name: "drops a cancel after the decision",
    breaks: ["P9"],
    plant: once("cancel", (command) => (command.reason === "race-decided" ? [] : undefined)),
  },
  {
    name: "drops a cancel when a transaction leaves",
    breaks: ["P9"],
    plant: once("cancel", (command) => (command.reason === "transaction-left" ? [] : undefined)),
  },
  { name: "seals a partial transaction", breaks: ["P2", "P10"], plant: partialSeal },
  { name: "leaves calls out of the block", breaks: ["P2", "P10"], plant: fewerCalls },
  { name: "seals stale results", breaks: ["P10"], plant: immortalResults },
  { name: "does not see the state change", breaks: ["P10"], plant: deafTo("state-changed") },
  {
    name: "lets everybody in",
    breaks: ["P11"],
    plant: () => ({}),
    configure: (config) => ({ ...config, limits: { ...config.limits, maxPending: 1_000, maxPendingPerSender: 1_000 } }),
  },
  { name: "rejects without a word", breaks: ["P11"], plant: once("rejected", nothing) },
  {
    name: "gives senders the wrong nonce",
    breaks: ["P11"],
    shows: /told to use nonce/,
    plant: once("rejected", ({ rejection, ...command }) =>
      "expectedNonce" in rejection
        ? [{ ...command, rejection: { ...rejection, expectedNonce: rejection.expectedNonce + 1 } }]
        : undefined,
    ),
  },
  { name: "lets jobs overtake each other", breaks: ["P12"], shows: /launched before/, plant: overtaking },
  {
    name: "leaves a gap in the order",
    breaks: ["P12"],
    plant: entry("admitted", (admitted) => [{ ...admitted, seq: admitted.seq + 1 }]),
  },
  { name: "launches without writing it down", breaks: ["P12"], plant: entry("launched", nothing) },
  { name: "keeps the slow lane secret", breaks: ["P14"], plant: secretSlowLane },
];

/** Errors that take a lie, two challengers, much work, or time: only long runs come that far. */
export const RARE: readonly Mutant[] = [
  ...RARE_BUDGET_MUTANTS,
  { name: "keeps what was forfeited", breaks: ["P5"], plant: movement("compensated", nothing) },
  { name: "lets a liar keep its bond", breaks: ["P5"], plant: movement("forfeited", nothing) },
];

/** Errors that break no rule at any step: what should happen does not. Caught where everything is expected to be sealed. */
export const IDLERS: readonly Mutant[] = [
  { name: "never hears of a verdict", breaks: ["P1"], plant: deafTo("verdict") },
  { name: "sends no copy in place of a lost one", breaks: ["P4"], plant: failuresEndRaces },
];

/** Nobody replaces a copy that was lost. */
function failuresEndRaces(): Tampering {
  const launched = new Set<number>();
  return {
    say: (commands) =>
      commands.filter((command) => {
        if (command.kind !== "dispatch" || command.copy.speculative) return true;
        const first = !launched.has(command.copy.race.id);
        launched.add(command.copy.race.id);
        return first;
      }),
  };
}

/** Whoever pays little for gas waits a block longer for everything. */
export const PRICE_MINDED: Mutant = {
  name: "minds gas prices",
  breaks: ["P7"],
  plant: () => ({
    hear: (event) =>
      event.kind === "submitted" && event.transaction.gasPriceGwei < 500
        ? { ...event, transaction: { ...event.transaction, ttlBlocks: Math.max(1, event.transaction.ttlBlocks - 2) } }
        : event,
  }),
};
