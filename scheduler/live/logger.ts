import { Logger, References } from "effect";
import type { Logger as Pino } from "pino";
import { destination, pino, stdTimeFunctions } from "pino";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** Effect's levels as pino calls them. */
const LEVELS: Readonly<Record<string, Exclude<LogLevel, "silent">>> = {
  Trace: "trace",
  Debug: "debug",
  Info: "info",
  Warn: "warn",
  Error: "error",
  Fatal: "fatal",
};

/** Structured logs as JSON lines on standard error, so that standard output stays the program's own. */
export function createPino(level: LogLevel): Pino {
  return pino({ level, base: { name: "pipe" }, timestamp: stdTimeFunctions.isoTime }, destination(2));
}

/** Effect's log calls as pino records: annotations become fields, the span its identifier. */
export function pinoLogger(root: Pino): Logger.Logger<unknown, void> {
  return Logger.make<unknown, void>(({ logLevel, message, fiber }) => {
    const level = LEVELS[logLevel];
    if (level === undefined) return;
    const fields = { ...fiber.getRef(References.CurrentLogAnnotations), span: fiber.cache.span?.spanId };
    root[level](fields, Array.isArray(message) ? message.map(String).join(" ") : String(message));
  });
}
