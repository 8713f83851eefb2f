import type { CassandraSpec } from "./cassandra.ts";
import type { EnvoySpec } from "./envoy.ts";
import type { FinagleSpec } from "./finagle.ts";
import type { GrpcHedgingSpec } from "./grpc-hedging.ts";
import type { MantriSpec } from "./mantri.ts";
import type { SingleDSpec, SingleRSpec } from "./single.ts";
import type { SparkSpec } from "./spark.ts";

/** The rules of other systems, as data. */
export type PeerSpec =
  | GrpcHedgingSpec
  | FinagleSpec
  | CassandraSpec
  | EnvoySpec
  | SparkSpec
  | MantriSpec
  | SingleDSpec
  | SingleRSpec;
