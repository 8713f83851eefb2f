import type { NodeTerms } from "../shared/vocabulary.ts";
import type { LinkMessage } from "./link.ts";
import { RateLimit } from "./rate-limit.ts";
import { nodeToken } from "./subjects.ts";

/**
 * A node as NATS's tools see it: a micro-service that answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS` (ADR-32 of NATS's
 * architecture and design). What it says there is not signed: it is for looking at, and nothing is decided by it.
 */
const NAME = "pipe-node";
const VERSION = "1.0.0";
const VERBS = ["PING", "INFO", "STATS"] as const;
/** Questions answered in a second: tools ask now and then. */
const MAX_ANSWERS_PER_SECOND = 50;
const NS_PER_MS = 1_000_000;

export interface MicroServiceOptions {
  readonly terms: NodeTerms;
  /** By which the scheduler dispatches. */
  readonly subject: string;
  readonly publish: (subject: string, data: Uint8Array) => void;
  readonly startedAt: Date;
}

export class MicroService {
  readonly #options: MicroServiceOptions;
  readonly #rate = new RateLimit(MAX_ANSWERS_PER_SECOND);
  #asked = 0;
  #accepted = 0;
  #answered = 0;
  #failed = 0;
  #lastError = "";
  #processingNs = 0;

  constructor(options: MicroServiceOptions) {
    this.#options = options;
  }

  /** The subjects to listen to: for all services, for those of this name, and for this one. */
  get subjects(): string[] {
    return VERBS.flatMap((verb) => [`$SRV.${verb}`, `$SRV.${verb}.${NAME}`, `$SRV.${verb}.${NAME}.${this.#id}`]);
  }

  asked(): void {
    this.#asked += 1;
  }

  accepted(): void {
    this.#accepted += 1;
  }

  answered(tookMs: number): void {
    this.#answered += 1;
    this.#processingNs += Math.round(tookMs * NS_PER_MS);
  }

  failed(reason: string, tookMs: number): void {
    this.#failed += 1;
    this.#lastError = reason;
    this.#processingNs += Math.round(tookMs * NS_PER_MS);
  }

  /** Answers a question, to whom the question says, unless that is one of the protocol's own subjects. */
  hear({ subject, reply }: LinkMessage): void {
    if (reply === undefined || reply === "" || /^(?:pipe|\$)/.test(reply)) return;
    if (!this.#rate.take(performance.now())) return;
    const answer = this.#answer(subject.split(".")[1]);
    if (answer !== undefined) this.#options.publish(reply, Buffer.from(JSON.stringify(answer)));
  }

  get #id(): string {
    return nodeToken(this.#options.terms.id);
  }

  #answer(verb: string | undefined): object | undefined {
    switch (verb) {
      case "PING":
        return { type: "io.nats.micro.v1.ping_response", ...this.#identity() };
      case "INFO":
        return { type: "io.nats.micro.v1.info_response", ...this.#identity(), ...this.#description() };
      case "STATS":
        return { type: "io.nats.micro.v1.stats_response", ...this.#identity(), ...this.#statistics() };
      default:
        return undefined;
    }
  }

  #identity(): object {
    const { id, operator, region, hardware, slots, offers } = this.#options.terms;
    const distinct = (words: readonly string[]) => [...new Set(words)].sort().join(",");
    const metadata = {
      node: id,
      operator,
      region,
      hardware,
      slots: String(slots),
      models: distinct(offers.map(({ model }) => model)),
      modes: distinct(offers.map(({ mode }) => mode)),
    };
    return { name: NAME, id: this.#id, version: VERSION, metadata };
  }

  #description(): object {
    const endpoint = { ...this.#endpoint(), metadata: {} };
    return { description: "An inference node of PIPE", endpoints: [endpoint] };
  }

  #statistics(): object {
    const ended = this.#answered + this.#failed;
    const endpoint = {
      ...this.#endpoint(),
      num_requests: this.#asked,
      num_errors: this.#failed,
      last_error: this.#lastError,
      processing_time: this.#processingNs,
      average_processing_time: ended === 0 ? 0 : Math.round(this.#processingNs / ended),
      data: { accepted: this.#accepted, answered: this.#answered, failed: this.#failed },
    };
    return { started: this.#options.startedAt.toISOString(), endpoints: [endpoint] };
  }

  #endpoint(): { readonly name: string; readonly subject: string; readonly queue_group: string } {
    return { name: "dispatch", subject: this.#options.subject, queue_group: "" };
  }
}
