import type { TournamentReport } from "../../sim/tournament/report.ts";
import type { Cell, Interval, Row } from "../../sim/tournament/summary.ts";
import { estimateText, figure } from "../../sim/report/wording.ts";
import { formatPolicy } from "../../policies/short-form.ts";
import { table } from "./sim-tables.ts";

/** Cell by cell for people, and at last where the subject is dominated. */
export function tournamentText(report: TournamentReport): string {
  const { cells, dominated, subject, skipped } = report;
  const judged = cells.filter(({ dominatedBy }) => dominatedBy !== null);
  const where = ({ workload, load }: Pick<Cell, "workload" | "load">): string =>
    load === null ? workload : `${workload} at load ${load}`;
  const listed = dominated.map(
    (one) => `  ${where(one)}: by ${one.by.map(({ policy }) => formatPolicy(policy)).join(", ")}\n`,
  );
  const verdict =
    dominated.length === 0
      ? `No peer at its tuned setting has both more jobs in time and less work than ${subject} in any of ${judged.length} cells.\n`
      : `${subject} is dominated in ${dominated.length} of ${judged.length} cells (more jobs in time and less work, both beyond chance):\n${listed.join("")}`;
  const missing = skipped.map(({ workload, because }) => `Not measured: ${workload}, since ${because}.\n`);
  return [...cells.map((cell) => `${where(cell)}\n${cellTable(cell)}\n`), verdict, ...missing].join("");
}

function cellTable({ rows }: Cell): string {
  const header = [
    "",
    "",
    "on time, %",
    "work ratio",
    "p99.9, s",
    "blocks late",
    "gap closed, %",
    "less the subject: on time, %",
    "work, s",
    "",
  ];
  return table([header, ...rows.map(rowCells)]);
}

function rowCells(row: Row): string[] {
  const { contender, setting, policy, versus } = row;
  const name = policy === null || contender === "single copy" ? "" : `${setting} ${formatPolicy(policy)}`;
  if (row.endless) return [contender, name, "the fleet never recovers"];
  return [
    contender,
    name,
    text(row.onTime, 100),
    text(row.workRatio, 1),
    text(row.p999Ms, 1e-3),
    text(row.blocksLate, 1),
    text(row.gapClosed, 100),
    ...(versus === null ? ["–", "–", ""] : [text(versus.onTime, 100), text(versus.workMs, 1e-3), versus.verdict]),
  ];
}

/** A mean and half its interval's width. */
function text(found: Interval | null, times: number): string {
  if (found === null) return "–";
  const { mean, ci95 } = found;
  if (ci95 === null) return figure(times * mean);
  const half = (times * (ci95[1] - ci95[0])) / 2;
  return `${estimateText(times * mean, [times * ci95[0], times * ci95[1]]).mean} ±${Number(half.toPrecision(2))}`;
}
