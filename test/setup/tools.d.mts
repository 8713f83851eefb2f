/** A program of the system that the tests drive. */
export interface Tool {
  /** What people call it. */
  readonly name: string;
  /** Environment variable that may hold its path. */
  readonly variable: string;
  /** Its names on PATH, the preferred one first. */
  readonly commands: readonly string[];
  /** The package of Debian and Ubuntu that has it. */
  readonly debian: string;
  /** What needs it. */
  readonly purpose: string;
}

export const TOOLS: { readonly chromium: Tool; readonly natsServer: Tool };

export function findTool(tool: Tool, environment: Readonly<Record<string, string | undefined>>): string | undefined;

export function setUp(
  environment: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
): string | undefined;
