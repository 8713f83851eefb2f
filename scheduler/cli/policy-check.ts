import { loadPolicyFile, PolicyFileError } from "../files/policy-file.ts";
import { identityOf, shortVersion } from "../files/policy-version.ts";
import type { FileProblem } from "../files/problems.ts";
import { EXIT } from "./sim-experiments.ts";

/** What `pipe policy check --json` prints. */
export type CheckReport =
  | {
      readonly ok: true;
      readonly file: string;
      readonly name: string;
      readonly version: string;
      readonly rules: readonly string[];
    }
  | { readonly ok: false; readonly file: string; readonly problems: readonly FileProblem[] };

/** Resolves to the exit code: 0 for a file that can be followed, 2 for another. */
export async function policyCheck(file: string, json: boolean): Promise<number> {
  const report = await reportOn(file);
  if (json) process.stdout.write(`${JSON.stringify(report.ok ? report : asData(report))}\n`);
  else if (report.ok) process.stdout.write(textOf(report));
  else process.stderr.write(`${report.error.message}\n`);
  return report.ok ? EXIT.done : EXIT.refused;
}

type Found =
  | Extract<CheckReport, { ok: true }>
  | { readonly ok: false; readonly file: string; readonly error: PolicyFileError };

async function reportOn(file: string): Promise<Found> {
  try {
    const spec = await loadPolicyFile(file);
    const { name, version } = identityOf(spec);
    return { ok: true, file, name, version, rules: spec.rules.map((rule) => rule.name) };
  } catch (error) {
    if (error instanceof PolicyFileError) return { ok: false, file, error };
    throw error;
  }
}

function asData({ ok, file, error }: Extract<Found, { ok: false }>): CheckReport {
  return { ok, file, problems: error.problems };
}

function textOf(report: Extract<CheckReport, { ok: true }>): string {
  const { file, name, rules } = report;
  return `${file}: ok. Policy ${name}, version ${shortVersion(report)}, rules: ${rules.join(", ")}.\n`;
}
