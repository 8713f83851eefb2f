/** What one replication says of a candidate. */
export interface Trial {
  /** Share of jobs answered in time. */
  readonly onTime: number;
  /** Machine-time of all copies, per job. Any unit. */
  readonly work: number;
}

/** A candidate's trials on average. */
export interface Average {
  readonly onTime: number;
  readonly work: number;
}

export function averageOf(trials: readonly Trial[]): Average {
  const mean = (of: (trial: Trial) => number): number =>
    trials.reduce((sum, trial) => sum + of(trial), 0) / trials.length;
  return { onTime: mean((trial) => trial.onTime), work: mean((trial) => trial.work) };
}

/**
 * The goal of every search: of those that answer the target share in time the one with the least work; where none does, the
 * one with the most answers in time. Negative where `a` is better.
 */
export function compareByGoal(a: Average, b: Average, target: number): number {
  const [aReaches, bReaches] = [a.onTime >= target, b.onTime >= target];
  if (aReaches !== bReaches) return aReaches ? -1 : 1;
  return aReaches ? a.work - b.work || b.onTime - a.onTime : b.onTime - a.onTime || a.work - b.work;
}
