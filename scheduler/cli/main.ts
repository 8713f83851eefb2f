#!/usr/bin/env node
import "./guard.mjs";
import { NodeRuntime, NodeServices } from "@effect/platform-node";
import { Effect } from "effect";
import { Command } from "effect/cli";
import { PROGRAM_VERSION } from "../live/program.ts";
import { demo } from "./command-demo.ts";
import { order, receipts, replay } from "./command-audits.ts";
import { sim } from "./command-sim.ts";

const pipe = Command.make("pipe").pipe(
  Command.withDescription(
    "PIPE: inference before the block. Races, verifies, stitches and seals answers of AI models.",
  ),
  Command.withSubcommands([demo, sim, receipts, order, replay]),
);

Command.run(pipe, { version: PROGRAM_VERSION }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain);
