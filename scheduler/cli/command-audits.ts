import { Effect, Option } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { PROGRAM } from "../live/program.ts";
import { isHashHex } from "../proofs/digest.ts";
import { auditOrder } from "./order.ts";
import { formatReport, type VerifyReport, verifyReceipts } from "./receipts.ts";
import { replayStepper, runReplay } from "./replay.ts";

const directory = Argument.Path("DIR").pipe(
  Argument.withDescription("the records of a scheduler, as --out of the demonstration writes them"),
);
const json = Flag.Boolean("json").pipe(
  Flag.withDefault(false),
  Flag.withDescription("print the report as one JSON object"),
);

const verify = Command.make(
  "verify",
  {
    directory,
    json,
    key: Flag.String("key").pipe(
      Flag.optional,
      Flag.withMetavar("HEX"),
      Flag.withDescription(
        "the scheduler's public key as you know it; without it the files are only held against each other",
      ),
    ),
  },
  Effect.fn(function* (flags) {
    const key = Option.getOrUndefined(flags.key);
    if (key !== undefined && !isHashHex(key)) {
      process.stderr.write(`pipe receipts verify: --key is not 64 lower-case hexadecimal digits: ${key}\n`);
      process.exitCode = 2;
      return;
    }
    show(yield* Effect.promise(() => verifyReceipts(flags.directory, { key })), flags.json);
  }),
).pipe(
  Command.withDescription(
    "Check every receipt, its inclusion, its signatures and all sums of fees, from the files alone",
  ),
);

export const receipts = Command.make("receipts").pipe(
  Command.withDescription("What outsiders can check about blocks and fees"),
  Command.withSubcommands([verify]),
);

const audit = Command.make(
  "audit",
  { directory, json },
  Effect.fn(function* (flags) {
    show(yield* Effect.promise(() => auditOrder(flags.directory)), flags.json);
  }),
).pipe(Command.withDescription("Check that the inference mempool kept its published order"));

export const order = Command.make("order").pipe(
  Command.withDescription("What outsiders can check about the order of transactions"),
  Command.withSubcommands([audit]),
);

export const replay = Command.make(
  "replay",
  { directory, json },
  Effect.fn(function* (flags) {
    const write = (text: string): void => void process.stdout.write(text);
    process.exitCode = yield* Effect.promise(() =>
      runReplay({ directory: flags.directory, json: flags.json, stepper: replayStepper, program: PROGRAM, write }),
    );
  }),
).pipe(Command.withDescription("Step the journal again and check that the engine gives the same commands"));

function show(report: VerifyReport, asJson: boolean): void {
  process.stdout.write(asJson ? `${JSON.stringify(report)}\n` : formatReport(report));
  process.exitCode = report.exitCode;
}
