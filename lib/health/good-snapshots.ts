import type { LoggedFile } from '../log/health-records.ts'

/**
 * Whether a restore of the snapshot is expected to bring the data back: it is full, its file is in the storage and not
 * known to be damaged, and it is not suspect unless it was accepted.
 */
export const isGood = (
  { isFull, isSuspect, damagedAt, filename }: LoggedFile, stored: ReadonlySet<string>
): boolean => isFull && !isSuspect && damagedAt === null && stored.has(filename)

/** By schema. Null if the storage does not answer, since nothing is known then. */
export function newestGood (files: LoggedFile[], stored: ReadonlySet<string> | null): Map<string, LoggedFile> {
  if (stored === null) return new Map()
  return new Map(files.filter((file) => isGood(file, stored)).map((file) => [file.schema, file]))
}
