import { paretoFrontier } from "./frontier.ts";
import { type Measured, measuredBy, type Point, type Sweep } from "./points.ts";

/** What a sweep's points are judged by: answers in time where they have a deadline, the mean response otherwise. */
export interface Target {
  readonly metric: "onTime" | "responseMs";
  /** Better is higher. */
  readonly higher: boolean;
}

export function targetOf(sweep: Sweep): Target {
  const onTime = sweep.points.every((point) => measured(point, "onTime") !== undefined);
  return onTime ? { metric: "onTime", higher: true } : { metric: "responseMs", higher: false };
}

/** The points of one load in one setting: those that compete. */
export interface Group {
  readonly load: number;
  readonly setting: number;
  readonly points: readonly Point[];
  /** Those with the least work for what they reach. */
  readonly frontier: readonly Point[];
  /** `undefined` where nothing was measured. */
  readonly best: Best | undefined;
}

export interface Best {
  readonly point: Point;
  /** The cheapest of those that do less work and whose intervals overlap with the best one's, if any. */
  readonly cheaper: Point | undefined;
}

export function groupsOf(sweep: Sweep, target: Target): readonly Group[] {
  const groups = new Map<string, Point[]>();
  for (const point of sweep.points) {
    const key = `${point.setting} ${point.load}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [point]);
    else group.push(point);
  }
  return [...groups.values()].map((points) => {
    const { load, setting } = points[0] as Point;
    const choices = points.flatMap((point) => choiceOf(point, target));
    const frontier = paretoFrontier(choices).map(({ point }) => point);
    return { load, setting, points, frontier, best: bestOf(choices, target) };
  });
}

interface PointChoice {
  readonly point: Point;
  readonly cost: number;
  readonly gain: number;
}

function choiceOf(point: Point, { metric, higher }: Target): PointChoice[] {
  const [value, work] = [measured(point, metric)?.mean, measured(point, "workMsPerJob")?.mean];
  if (value === undefined || work === undefined) return [];
  return [{ point, cost: work, gain: higher ? value : -value }];
}

function bestOf(choices: readonly PointChoice[], { metric }: Target): Best | undefined {
  const [best] = choices.toSorted((a, b) => b.gain - a.gain || a.cost - b.cost);
  if (best === undefined) return undefined;
  const [cheaper] = choices
    .filter(({ point, cost }) => cost < best.cost && overlap(measured(best.point, metric), measured(point, metric)))
    .toSorted((a, b) => a.cost - b.cost);
  return { point: best.point, cheaper: cheaper?.point };
}

function overlap(a: Measured | undefined, b: Measured | undefined): boolean {
  if (a?.ci95 == null || b?.ci95 == null) return false;
  return a.ci95[0] <= b.ci95[1] && b.ci95[0] <= a.ci95[1];
}

/** A metric with a mean. */
export function measured(point: Point, metric: string): (Measured & { readonly mean: number }) | undefined {
  const found = measuredBy(point, metric);
  return found === undefined || found.mean === null ? undefined : { ...found, mean: found.mean };
}
