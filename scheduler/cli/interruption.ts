import { Effect } from "effect";
import { EXIT, SimRefused } from "./sim-experiments.ts";

/** Whose commands most are. */
const SIM = "pipe sim";

/**
 * Does the work, whose result is the exit code. The first Ctrl-C aborts the signal, so that the work ends with what is
 * finished; a second one ends the program at once. SimRefused becomes a message of the command and exit code 2.
 */
export function untilInterrupted(work: (signal: AbortSignal) => Promise<number>, command = SIM): Effect.Effect<void> {
  // Ctrl-C also interrupts the command as a whole, which then waits for the work to end by itself.
  return Effect.uninterruptible(Effect.promise(() => heedingSignals(work, command)));
}

/** Status of a service that has come to its end by itself. */
let serviceStatus: number | undefined;

/** The same for a service, whose usual end is a signal: its status is what the work says, after a signal too. */
export function untilStopped(work: (signal: AbortSignal) => Promise<number>, command: string): Effect.Effect<void> {
  const service = async (signal: AbortSignal): Promise<number> => {
    serviceStatus = await work(signal);
    return serviceStatus;
  };
  return untilInterrupted(service, command);
}

/** The program's status, where that is `status` for all that Effect knows: to it any signal is an interruption. */
export function statusOf(status: number): number {
  return serviceStatus ?? status;
}

/** npm hands a Ctrl-C on to a program that has it from the terminal already: no one means two within this time. */
export const SAME_PRESS_MS = 300;

async function heedingSignals(work: (signal: AbortSignal) => Promise<number>, command: string): Promise<void> {
  const interrupted = new AbortController();
  let firstMs: number | undefined;
  const onSignal = (): void => {
    if (firstMs !== undefined && performance.now() - firstMs > SAME_PRESS_MS) process.exit(EXIT.interrupted);
    firstMs ??= performance.now();
    interrupted.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  try {
    process.exitCode = await work(interrupted.signal);
  } catch (error) {
    if (!(error instanceof SimRefused)) throw error;
    refuse(error.message, command);
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
  }
}

export function refuse(message: string, command = SIM): void {
  process.stderr.write(`${command}: ${message}\n`);
  process.exitCode = EXIT.refused;
}
