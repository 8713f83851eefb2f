import { spawnSync } from "node:child_process";

/** An authority and certificates of servers, as docs/OPERATING.md makes them, in `directory`; `address` is what all of them are for. */
export function makeCertificates(
  directory: string,
  options: { readonly servers: number; readonly address: string },
): void {
  const openssl = (...args: string[]): void => {
    const { status, stderr } = spawnSync("openssl", args, { cwd: directory, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=PIPE brokers");
  for (let n = 1; n <= options.servers; n++) {
    const about = ["-subj", `/CN=server-${n}`, "-addext", `subjectAltName=IP:${options.address}`];
    const by = ["-CA", "ca.crt", "-CAkey", "ca.key"];
    openssl("req", "-x509", ...key, ...by, "-keyout", `server-${n}.key`, "-out", `server-${n}.crt`, ...about);
  }
}
