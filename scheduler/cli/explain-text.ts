import { shortVersion } from "../files/policy-version.ts";
import type { RaceStep } from "./explain-race.ts";
import type { ExplainReport, TriedRule } from "./policy-explain.ts";
import { table } from "./sim-tables.ts";

/** The report as an operator reads it. */
export function explainText(report: ExplainReport): string {
  const { job, policy, race } = report;
  const origin = policy.origin === undefined ? "" : ` of ${policy.origin}`;
  return [
    `${job.model} in mode ${job.mode} for ${job.sender}, at most ${whole(job.maxFeeGwei)} gwei, ${job.tokensOut} tokens, ` +
      `in one of ${job.blocks} blocks: ${ms(race.deadlineUs)} from now.\n`,
    `Policy ${policy.name}${origin}, version ${shortVersion(policy)}.\n`,
    ...(report.rules.length === 0 ? [] : [`${report.rules.map(ruleText).join("\n")}\n`]),
    `${report.words.join("\n")}\n`,
    ...(Object.keys(report.numbers).length === 0
      ? []
      : [table(Object.entries(report.numbers).map(([k, v]) => [k, figure(v)]))]),
    durationsText(report),
    ...raceText(report),
    budgetText(report),
    nodesText(report),
  ].join("\n");
}

function ruleText({ name, fails }: TriedRule): string {
  if (fails === undefined) return `  rule ${JSON.stringify(name)}: taken`;
  const { condition, wants, has } = fails;
  const said = Array.isArray(wants) ? wants.join(", ") : String(wants);
  return `  rule ${JSON.stringify(name)}: not for this call, ${condition} is ${said}, and the call has ${String(has)}`;
}

function durationsText({ durations, job }: ExplainReport): string {
  const from = job.journal ?? "the law of the job file";
  if (durations === undefined) {
    return `Nothing is known of how long its copies take (${from}): they are taken for fast enough, and no probability can be told.\n`;
  }
  const { observed, p50Us, p95Us, p99Us } = durations;
  const quantiles = [p50Us, p95Us, p99Us].map((us) => (us === null ? "beyond what was seen" : ms(us)));
  return `Copies take ${quantiles[0]} at the median, ${quantiles[1]} at p95, ${quantiles[2]} at p99 (${whole(observed)} observed: ${from}).\n`;
}

function raceText({ race, launches, expectedWorkUs }: ExplainReport): readonly string[] {
  if (race.rejection !== undefined) {
    return [`It would not be admitted: ${JSON.stringify(race.rejection)}.\n`];
  }
  if (race.steps.length === 0) return ["No copy would be launched in time: no node has room for it.\n"];
  let launch = 0;
  const rows = race.steps.map((step) => {
    const prospect = step.kind === "launched" ? launches[launch++] : undefined;
    return [
      ms(step.atUs),
      stepText(step),
      prospect === undefined ? "" : percent(prospect.needed),
      prospect === undefined ? "" : percent(prospect.onTime),
      step.kind === "launched" ? percent(step.estimate) : "",
    ];
  });
  const head = ["at", "what", "needed", "on time", "on time from here"];
  return [
    `If nobody answers:\n\n${table([head, ...rows])}`,
    "needed: nobody has answered by then. On time: an answer by the last block with the copies so far; from here: the engine's own\n" +
      "estimate when nobody has answered yet. Copies are taken as independent, nodes as alike.\n",
    ...(expectedWorkUs === undefined
      ? []
      : [`Expected work: ${seconds(expectedWorkUs)} of machine-time up to the deadline.\n`]),
  ];
}

function stepText(step: RaceStep): string {
  switch (step.kind) {
    case "launched":
      return `${step.speculative ? "speculative" : "primary"} copy on ${step.node}`;
    case "lost":
      return `the copy on ${step.node} is lost: ${step.reason}`;
    case "budget-exhausted":
      return "the budget does not allow another copy";
    case "slow-lane":
      return `goes on in the slow lane: ${step.reason}`;
    default:
      return step satisfies never;
  }
}

function budgetText({ budget, job }: ExplainReport): string {
  if (budget.availableUs === null) return "Budget: unlimited.\n";
  if (job.journal === undefined) {
    return `Budget: ${JSON.stringify(budget.spec)}; in this made-up world it never runs out, a journal tells how it really stood.\n`;
  }
  return `Budget: ${JSON.stringify(budget.spec)}; ${seconds(budget.availableUs)} of speculative work may be reserved now.\n`;
}

function nodesText({ nodes, takes }: ExplainReport): string {
  const rows = nodes.map(({ id, operator, region, load, slots, warm, priceGwei }) => [
    id,
    operator,
    region,
    `${load} of ${slots}`,
    warm ? "warm" : "cold",
    priceGwei === null ? "–" : whole(priceGwei),
  ]);
  const head = ["node", "operator", "region", "load", "model", "price, gwei"];
  return `Placement ${takes.placement.kind} takes, in this order:\n\n${table([head, ...rows])}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function ms(us: number): string {
  return `${whole(us / 1_000)} ms`;
}

function seconds(us: number): string {
  return `${(us / 1e6).toFixed(2)} s`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function figure(value: number): string {
  return Number.isInteger(value) ? whole(value) : String(Number(value.toPrecision(4)));
}
