#!/usr/bin/env node
import "./guard.mjs";
import { NodeRuntime, NodeServices } from "@effect/platform-node";
import { Effect, Runtime } from "effect";
import { Command } from "effect/cli";
import { PROGRAM_VERSION } from "../live/program.ts";
import { demo } from "./command-demo.ts";
import { order, receipts, replay } from "./command-audits.ts";
import { cluster } from "./command-cluster.ts";
import { evm } from "./command-evm.ts";
import { natsConfig } from "./command-nats-config.ts";
import { node } from "./command-node.ts";
import { statusOf } from "./interruption.ts";
import { policy } from "./command-policy.ts";
import { quote } from "./command-quote.ts";
import { scheduler } from "./command-scheduler.ts";
import { sim } from "./command-sim.ts";
import { tune } from "./command-tune.ts";

const pipe = Command.make("pipe").pipe(
  Command.withDescription(
    "PIPE: inference before the block. Races, verifies, stitches and seals answers of AI models.",
  ),
  Command.withSubcommands([
    demo,
    scheduler,
    node,
    cluster,
    evm,
    natsConfig,
    quote,
    policy,
    sim,
    tune,
    receipts,
    order,
    replay,
  ]),
);

/** What was asked makes no sense. 1 is for an audit that found something. */
const MISUSED = 2;
Command.run(pipe, { version: PROGRAM_VERSION }).pipe(
  // It has been shown by now, with the help.
  Effect.catchTag("ShowHelp", ({ errors }) =>
    Effect.sync(() => {
      if (errors.length > 0) process.exitCode = MISUSED;
    }),
  ),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({
    teardown: (exit, onExit) => Runtime.defaultTeardown(exit, (status) => onExit(statusOf(status))),
  }),
);
