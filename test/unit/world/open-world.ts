import type { PlainSection } from "../../../scheduler/fields/fields.ts";
import { arrivalsOf, distributionOf } from "../../../sim/kernel/distributions.ts";
import { streamFor } from "../../../sim/kernel/streams.ts";
import { BareWorld } from "../../../sim/world/bare-world.ts";
import { FREE, RUNNING } from "../../../sim/world/copy-table.ts";
import type { WorldEvent } from "../../../sim/world/driven-engine.ts";
import { experimentOf } from "../../support/experiments.ts";

/** A world that can be looked into while it runs. */
export class OpenWorld extends BareWorld {
  /** What the engine was told, in order: kinds, and reasons of failures. */
  readonly told: string[] = [];
  /** Copies seen running on nodes that were away. */
  ghosts = 0;
  readonly #away = new Set<number>();

  constructor(section: PlainSection) {
    const experiment = experimentOf(section);
    const stream = (purpose: string) => streamFor(experiment.seed, 0, purpose);
    const files = () => "";
    super(
      {
        experiment,
        arrivals: arrivalsOf(experiment.arrivals, stream("arrivals"), files),
        service: distributionOf(experiment.service, files),
        services: undefined,
        serviceStream: stream("service"),
        extraStream: stream("further copies"),
        streamFor: stream,
        samples: 0,
        limits: { patience: 1e6, events: Number.MAX_SAFE_INTEGER },
        onLook: () => {},
      },
      1,
    );
  }

  /** Copies that are somewhere: on their way, on a node, in verification. */
  get held(): number {
    return this.copies.state.reduce((count, state) => count + (state === FREE ? 0 : 1), 0);
  }

  get jobsHeld(): number {
    return this.jobs.held.reduce((count, held) => count + (held > 0 ? 1 : 0), 0);
  }

  protected override tell(event: WorldEvent): void {
    this.told.push(event.kind === "copy-failed" ? `${event.kind}: ${event.reason}` : event.kind);
    super.tell(event);
    for (const [copy, state] of this.copies.state.entries()) {
      if (state === RUNNING && this.#away.has(this.copies.node[copy] as number)) this.ghosts++;
    }
  }

  override leave(node: number, drains: boolean): void {
    this.#away.add(node);
    super.leave(node, drains);
  }

  override comeBack(node: number): void {
    this.#away.delete(node);
    super.comeBack(node);
  }
}
