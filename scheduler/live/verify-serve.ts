import { writeSync } from "node:fs";
import type { AttestationStage, SignatureStage, StageOutcome, ZkStage } from "../proofs/judge.ts";
import type { ZkmlRules } from "../proofs/model-rules.ts";
import type { Trust } from "../proofs/stage-runner.ts";
import { assert } from "../shared/assert.ts";
import type { VerifyAnswer, VerifyTask } from "./verify-protocol.ts";
import { MAX_SENT_KEYS, OUTCOME_INVALID, OUTCOME_THREW, OUTCOME_VALID, OUTCOMES_FD } from "./verify-protocol.ts";

/** What runs stages in a verify process. */
export interface StageCode {
  readonly signature: (stage: SignatureStage) => StageOutcome;
  /** Asked for when it is to be preloaded or the first dear stage comes, so that a process for signatures need not load it. */
  readonly dear: (trust: Trust) => Promise<DearCode>;
}

export interface DearCode {
  run(stage: AttestationStage | ZkStage): StageOutcome;
  /** Has ready what proofs under this key will take. */
  prepare(rules: ZkmlRules): void;
}

/**
 * The verify process's side of the protocol. It lives as long as its channel, whatever a terminal or a supervisor tells all the
 * processes of a program.
 */
export function serveStages(code: StageCode): void {
  assert(process.send !== undefined, "a verify process is started by its pool");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);
  process.on("disconnect", () => process.exit());
  const keys = new KeyTexts();
  let trust: Trust = { roots: [], allowEmulator: false };
  let dear: ReturnType<StageCode["dear"]> | undefined;
  process.on("message", (task: VerifyTask) => {
    if (task.kind === "open") {
      trust = task.trust;
      if (task.preload === undefined) answer("open");
      else prepare(task.preload.keys, () => answer("open"));
    } else if (task.kind === "prepare") prepare(task.keys, () => undefined);
    else if (task.kind === "signatures") {
      for (const stage of task.stages) writeOutcome(outcomeOf(code.signature, stage));
    } else {
      const stage = task.stage.kind === "zk" ? keys.complete(task.stage) : task.stage;
      dear ??= code.dear(trust);
      dear
        .then((ready) => answerTimed(() => outcomeOf((one) => ready.run(one), stage)))
        .catch(() => answerTimed(() => undefined));
    }
  });

  /** What goes wrong here goes wrong again when a proof comes, and counts then. */
  function prepare(given: readonly ZkmlRules[], done: () => void): void {
    for (const rules of given) keys.note(rules);
    dear ??= code.dear(trust);
    dear
      .then((ready) => {
        for (const rules of given) ready.prepare(rules);
      })
      .then(done, done);
  }
}

function outcomeOf<S>(run: (stage: S) => StageOutcome, stage: S): StageOutcome | undefined {
  try {
    return run(stage);
  } catch {
    return undefined;
  }
}

function answerTimed(run: () => StageOutcome | undefined): void {
  const startedMs = performance.now();
  const outcome = run();
  answer({ outcome, tookUs: Math.ceil((performance.now() - startedMs) * 1000) });
}

function answer(said: VerifyAnswer): void {
  process.send?.(said);
}

const byte = new Uint8Array(1);

function writeOutcome(outcome: StageOutcome | undefined): void {
  byte[0] = outcome === undefined ? OUTCOME_THREW : outcome.ok ? OUTCOME_VALID : OUTCOME_INVALID;
  writeSync(OUTCOMES_FD, byte);
}

/** Texts of verification keys by their hashes, each sent once. */
class KeyTexts {
  readonly #texts = new Map<string, string>();

  complete(stage: ZkStage): ZkStage {
    const { keyHash, verificationKey } = stage.rules;
    if (verificationKey === "") {
      return { ...stage, rules: { ...stage.rules, verificationKey: this.#texts.get(keyHash) ?? "" } };
    }
    this.note(stage.rules);
    return stage;
  }

  note({ keyHash, verificationKey }: ZkmlRules): void {
    this.#texts.set(keyHash, verificationKey);
    const [oldest] = this.#texts.size > MAX_SENT_KEYS ? this.#texts.keys() : [];
    if (oldest !== undefined) this.#texts.delete(oldest);
  }
}
