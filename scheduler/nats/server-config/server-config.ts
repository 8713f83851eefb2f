import type { Permissions } from "./permissions.ts";

/** A user as the broker knows it: by its public nkey. */
export interface BrokerUser {
  /** For people who read the file. */
  readonly name: string;
  readonly publicKey: string;
  readonly permissions: Permissions;
}

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface BrokerServer {
  readonly name: string;
  readonly host: string;
  /** Where clients connect, and the other servers. */
  readonly port: number;
  readonly clusterPort: number;
  /** The server's own data. */
  readonly storeDirectory: string;
  readonly tls: TlsFiles | undefined;
}

export interface BrokerOptions {
  readonly servers: readonly BrokerServer[];
  readonly users: readonly BrokerUser[];
  /** Whether a write is acknowledged only when the disk has it; servers before 2.10 do not know how. */
  readonly syncAlways: boolean;
  /** Password of the servers among themselves. */
  readonly clusterPassword: string;
}

const CLUSTER = "pipe";
/** The largest that PIPE sends is a part of a journal's group, a quarter of this. */
const MAX_PAYLOAD = 2 * 1024 * 1024;

/** The configuration of one of the servers, ready for `nats-server -c`. */
export function serverConfig(options: BrokerOptions, server: BrokerServer): string {
  const { syncAlways, users } = options;
  return [
    `# ${server.name}: one of ${options.servers.length} servers that carry PIPE's messages and keep its journals.`,
    "# Written by `pipe nats-config`, which writes it again with the same keys when it is asked again.",
    "",
    `server_name: ${quoted(server.name)}`,
    `listen: ${quoted(`${server.host}:${server.port}`)}`,
    "# Nothing that PIPE sends is larger.",
    `max_payload: ${MAX_PAYLOAD}`,
    "# A client that does not read is cut off with this much waiting for it; it connects again.",
    "max_pending: 64MB",
    "max_connections: 4096",
    "max_subscriptions: 256",
    "max_control_line: 4KB",
    'ping_interval: "10s"',
    'write_deadline: "5s"',
    ...tlsLines(server.tls, ""),
    "",
    "jetstream {",
    `  store_dir: ${quoted(server.storeDirectory)}`,
    "  max_memory_store: 0",
    "  max_file_store: 64GB",
    ...(syncAlways
      ? [
          "  # By default the disk is asked every two minutes, and what was acknowledged since is lost with the machine.",
          "  sync_interval: always",
        ]
      : [
          "  # This server is older than 2.10 and cannot be told to ask the disk at every write (sync_interval: always).",
        ]),
    "}",
    ...clusterLines(options, server),
    "",
    "accounts {",
    "  PIPE {",
    "    jetstream: enabled",
    "    users: [",
    ...users.flatMap(userLines),
    "    ]",
    "  }",
    "  # The servers' own events. Nobody is given a user of it here.",
    "  SYS {}",
    "}",
    "system_account: SYS",
    "",
  ].join("\n");
}

function tlsLines(tls: TlsFiles | undefined, indent: string): string[] {
  if (tls === undefined) return [`${indent}# No TLS: for servers and clients on one machine only.`];
  const { cert, key, ca } = tls;
  const files = [`cert_file: ${quoted(cert)}`, `key_file: ${quoted(key)}`, `ca_file: ${quoted(ca)}`];
  return [`${indent}tls {`, ...files.map((line) => `${indent}  ${line}`), `${indent}}`];
}

function clusterLines({ servers, clusterPassword }: BrokerOptions, server: BrokerServer): string[] {
  if (servers.length === 1) return [];
  const others = servers.filter(({ name }) => name !== server.name);
  const route = ({ host, clusterPort }: BrokerServer): string =>
    `    ${quoted(`nats://${CLUSTER}:${clusterPassword}@${host}:${clusterPort}`)}`;
  return [
    "",
    "cluster {",
    `  name: ${quoted(CLUSTER)}`,
    `  listen: ${quoted(`${server.host}:${server.clusterPort}`)}`,
    `  authorization { user: ${quoted(CLUSTER)}, password: ${quoted(clusterPassword)} }`,
    ...tlsLines(server.tls, "  "),
    "  routes: [",
    ...others.map(route),
    "  ]",
    "}",
  ];
}

function userLines({ name, publicKey, permissions }: BrokerUser): string[] {
  const { publish, publishNever, subscribe, responses } = permissions;
  const never = publishNever.length === 0 ? "" : `, deny: ${listOf(publishNever)}`;
  return [
    `      # ${name}`,
    "      {",
    `        nkey: ${publicKey}`,
    "        permissions {",
    `          publish { allow: ${listOf(publish)}${never} }`,
    `          subscribe { allow: ${listOf(subscribe)} }`,
    ...(responses === 0 ? [] : [`          allow_responses { max: ${responses}, expires: "5s" }`]),
    "        }",
    "      }",
  ];
}

function listOf(subjects: readonly string[]): string {
  return `[${subjects.map(quoted).join(", ")}]`;
}

/** JSON's strings are the configuration's, too. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
