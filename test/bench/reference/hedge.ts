import { EventHeap } from "../../../sim/kernel/event-heap.ts";
import { type Stream, streamFor } from "../../../sim/kernel/streams.ts";

/**
 * The hedge model, which hedge.cpp and hedge_simpy.py build likewise: jobs come as a Poisson process to 16 exponential FIFO
 * servers of rate 1, each with a copy on two different servers chosen at random. The first copy to end wins, and the other is
 * taken out of its queue, or stopped if it runs. Utilisation is 0.6 whatever the number of copies, since of two exponential
 * copies that run at once together they work as long as one. Three events per job: arrival, end, removal.
 */
export const SERVERS = 16;
export const UTILISATION = 0.6;
export const EVENTS_PER_JOB = 3;

/** Mean response time by Gardner and others' formula for redundancy-2 with cancellation on completion. */
export const MEAN_RESPONSE = Array.from({ length: SERVERS - 1 }, (_, index) => index + 2).reduce(
  (sum, i) => sum + 1 / ((SERVERS * (SERVERS - 1)) / (i - 1) - SERVERS * UTILISATION),
  0,
);

/** Jobs at once; at this load a hundred hardly ever are. */
const MAX_JOBS = 2 ** 16;
const ARRIVAL = 2 * MAX_JOBS;
const NONE = -1;

export class HedgeModel {
  readonly #heap = new EventHeap();
  readonly #stream: Stream;
  /** By job. */
  readonly #arrived = new Float64Array(MAX_JOBS);
  readonly #freeJobs = new Int32Array(MAX_JOBS);
  #free = MAX_JOBS;
  /** By copy, which is twice the job, plus one for the second. The queues are lists of copies in both directions. */
  readonly #server = new Int32Array(2 * MAX_JOBS);
  readonly #next = new Int32Array(2 * MAX_JOBS);
  readonly #before = new Int32Array(2 * MAX_JOBS);
  /** By server: the copy that runs, the last in the queue behind it, and the running one's end. */
  readonly #first = new Int32Array(SERVERS).fill(NONE);
  readonly #last = new Int32Array(SERVERS).fill(NONE);
  readonly #ends = new Float64Array(SERVERS);
  #responses = 0;

  constructor(seed: number) {
    this.#stream = streamFor(seed, 0, "hedge");
    for (let job = 0; job < MAX_JOBS; job++) this.#freeJobs[job] = job;
    this.#scheduleArrival();
  }

  /** Runs until so many more jobs have ended and returns their mean response time. */
  run(jobs: number): number {
    const heap = this.#heap;
    this.#responses = 0;
    let ended = 0;
    while (ended < jobs && heap.popNext()) {
      const payload = heap.payload;
      if (payload === ARRIVAL) this.#arrive();
      else {
        this.#end(payload);
        ended++;
      }
    }
    return this.#responses / ended;
  }

  #scheduleArrival(): void {
    this.#heap.schedule(this.#heap.timeUs + this.#stream.exponential() / (SERVERS * UTILISATION), 0, ARRIVAL);
  }

  #arrive(): void {
    const stream = this.#stream;
    const job = this.#freeJobs[--this.#free] as number;
    this.#arrived[job] = this.#heap.timeUs;
    const one = stream.below(SERVERS);
    const other = stream.below(SERVERS - 1);
    this.#join(2 * job, one);
    this.#join(2 * job + 1, other < one ? other : other + 1);
    this.#scheduleArrival();
  }

  #join(copy: number, server: number): void {
    const last = this.#last[server] as number;
    this.#server[copy] = server;
    this.#next[copy] = NONE;
    this.#before[copy] = last;
    this.#last[server] = copy;
    if (last === NONE) this.#start(copy, server);
    else this.#next[last] = copy;
  }

  #start(copy: number, server: number): void {
    this.#first[server] = copy;
    this.#ends[server] = this.#heap.schedule(this.#heap.timeUs + this.#stream.exponential(), 0, copy);
  }

  #end(copy: number): void {
    const job = copy >> 1;
    this.#responses += this.#heap.timeUs - (this.#arrived[job] as number);
    this.#leave(copy);
    const loser = copy ^ 1;
    const server = this.#server[loser] as number;
    if (this.#first[server] === loser) this.#heap.cancel(this.#ends[server] as number);
    this.#leave(loser);
    this.#freeJobs[this.#free++] = job;
  }

  #leave(copy: number): void {
    const server = this.#server[copy] as number;
    const before = this.#before[copy] as number;
    const next = this.#next[copy] as number;
    if (next === NONE) this.#last[server] = before;
    else this.#before[next] = before;
    if (before !== NONE) this.#next[before] = next;
    else if (next !== NONE) this.#start(next, server);
    else this.#first[server] = NONE;
  }
}
