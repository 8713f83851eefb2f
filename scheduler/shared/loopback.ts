/** Whether a host is this machine's own, by its address alone; names, but for `localhost`, could stand for any. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
