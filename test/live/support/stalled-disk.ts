import { readlinkSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { vi } from "vitest";

/**
 * From now on no file below `directory` becomes durable, as on a disk that stands still: what is asked of it is answered when
 * the function that this resolves to is called, and not before.
 */
export async function stallDisk(directory: string): Promise<() => void> {
  const probe = await open("/proc/self/stat", "r");
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  await probe.close();
  const over = Promise.withResolvers<void>();
  const datasync = prototype.datasync;
  const spy = vi.spyOn(prototype, "datasync").mockImplementation(async function (this: FileHandle) {
    if (readlinkSync(`/proc/self/fd/${this.fd}`).startsWith(directory)) await over.promise;
    return datasync.call(this);
  });
  return () => {
    spy.mockRestore();
    over.resolve();
  };
}
