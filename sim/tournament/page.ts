import type { PageParts } from "../report/page.ts";
export const TOURNAMENT_PROGRAMS = [] as string[];
export function renderTournament(_report: unknown, _about: unknown, _parts: PageParts): string {
  return "";
}
