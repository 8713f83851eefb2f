import type { Movement } from "../../scheduler/engine/commands.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Checker, Report } from "./checker.ts";

/**
 * P5, for bonds: what a node has put up changes as the chain says and by forfeits only, is never negative, and what is
 * forfeited goes to the sender and to challengers to the last gwei, in the same step.
 */
export function bonds(report: Report): Checker {
  const bondOf = new Map<string, number>();
  let current: EngineEvent | undefined;
  let forfeitedGwei = 0;
  let sharedGwei = 0;
  /** Forfeited by challenges, as their outcomes say. */
  let announcedGwei = 0;

  function moved({ kind, account, amountGwei }: Movement): void {
    const bondGwei = bondOf.get(account) ?? 0;
    switch (kind) {
      case "bonded":
      case "unbonded": {
        const becomes = kind === "bonded" ? bondGwei + amountGwei : bondGwei - amountGwei;
        const said = current?.kind === "bond-changed" && current.node === account ? current.bondGwei : undefined;
        if (becomes !== said || amountGwei === 0) report(`${kind} ${amountGwei} of ${account}: ${said} was said`);
        bondOf.set(account, becomes);
        return;
      }
      case "forfeited":
        if (amountGwei > bondGwei) report(`${account} forfeits ${amountGwei} of ${bondGwei}`);
        bondOf.set(account, bondGwei - amountGwei);
        forfeitedGwei += amountGwei;
        return;
      case "rewarded":
      case "compensated":
        sharedGwei += amountGwei;
        return;
      default:
        return;
    }
  }

  return {
    promise: "P5",
    event(event) {
      current = event;
    },
    command(command) {
      if (command.kind === "moved") moved(command.movement);
      else if (command.kind === "challengeEnded") announcedGwei += command.outcome.forfeitedGwei;
    },
    stepped() {
      if (forfeitedGwei !== sharedGwei) report(`${forfeitedGwei} forfeited, ${sharedGwei} shared out`);
      if (forfeitedGwei !== announcedGwei) report(`${forfeitedGwei} forfeited, ${announcedGwei} announced`);
    },
  };
}
