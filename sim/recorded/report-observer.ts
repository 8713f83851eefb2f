import type { NodeTook } from "./recording.ts";

/** Times how long after a change of its load a node reports it. */
export class ReportObserver {
  /** By node, when its load changed first since its last report. */
  readonly #changedUs = new Map<string, number>();
  readonly #changeReports: NodeTook[] = [];

  get changeReports(): readonly NodeTook[] {
    return this.#changeReports;
  }

  /** The node said something that goes with a change of its load. */
  changed(node: string, atUs: number): void {
    if (!this.#changedUs.has(node)) this.#changedUs.set(node, atUs);
  }

  reported(node: string, atUs: number): void {
    const changedUs = this.#changedUs.get(node);
    if (changedUs === undefined) return;
    this.#changedUs.delete(node);
    this.#changeReports.push({ node, atUs: changedUs, us: atUs - changedUs });
  }
}
