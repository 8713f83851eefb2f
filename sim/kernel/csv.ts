import { parse } from "csv-parse/sync";

/** The text of a file that an experiment names. Throws what its implementation throws when there is none. */
export type FileReader = (path: string) => string;

/** A file that an experiment names does not hold what the experiment takes from it. */
export class UnusableFile extends Error {
  override readonly name = "UnusableFile";
}

/** The Azure traces of a day have some tens of thousands of rows; this is some hundred megabytes of text. */
const MAX_ROWS = 5_000_000;

/** The values of the columns of a CSV with a heading, row by row; the first column that is not there is refused. */
export function readColumns(files: FileReader, file: string, columns: readonly string[]): string[][] {
  let heading: string[] = [];
  const rows = parseRows(files(file), file, (names) => {
    heading = names;
  });
  if (rows.length === 0) throw new UnusableFile(`${file}: has no rows`);
  if (rows.length > MAX_ROWS) throw new UnusableFile(`${file}: has more than ${MAX_ROWS} rows`);
  const missing = columns.find((column) => !heading.includes(column));
  if (missing !== undefined) {
    throw new UnusableFile(`${file}: has no column ${missing}; its columns are ${heading.join(", ")}`);
  }
  return rows.map((row) => columns.map((column) => row[heading.indexOf(column)] as string));
}

function parseRows(text: string, file: string, onHeading: (names: string[]) => void): string[][] {
  try {
    const [heading, ...rows] = parse(text, { bom: true, trim: true, skip_empty_lines: true }) as string[][];
    onHeading(heading ?? []);
    return rows;
  } catch (error) {
    throw new UnusableFile(`${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** A number that is not negative. `row` counts from 1, the heading apart. */
export function numberIn(text: string, where: { file: string; column: string; row: number }): number {
  const value = text === "" ? Number.NaN : Number(text);
  if (value >= 0 && value < Number.POSITIVE_INFINITY) return value;
  const { file, column, row } = where;
  throw new UnusableFile(`${file}: row ${row}, ${column}: ${JSON.stringify(text)} is not a number from 0 on`);
}
