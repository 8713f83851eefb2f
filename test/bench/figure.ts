/** One measured figure. Ratios are against a baseline measured in the same run. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: string;
  readonly met?: boolean;
}

/** A table for people. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, target, met }) => [
    name,
    `${rounded(value)} ${unit}`,
    target ?? "",
    met === undefined ? "" : met ? "met" : "MISSED",
  ]);
  const header = ["figure", "measured", "target", ""];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((width) => "─".repeat(width))), ...rows.map(line)].join("\n");
}

function rounded(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}
