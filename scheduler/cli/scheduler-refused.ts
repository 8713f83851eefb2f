/** Exit codes of `pipe scheduler`. */
export const SCHEDULER_EXIT = { stopped: 0, failed: 1, misused: 2, interrupted: 130, terminated: 143 } as const;

/** The scheduler cannot be started; the message says what to do. */
export class SchedulerRefused extends Error {
  override readonly name = "SchedulerRefused";
  readonly exitCode: number;

  constructor(message: string, { exitCode, cause }: { readonly exitCode: number; readonly cause?: unknown }) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}
