import { isSnapshotName } from './snapshot-name.ts'

const longestVersion = 999_999_999

/**
 * The file beside a snapshot that keeps what was said of it after it was made: `public_2026-11-22T17-45-00-123Z.sidecar-1.json`. Files are never
 * written over, so each change makes one of the next version.
 */
export const sidecarName = (snapshot: string, version: number): string => snapshot.replace(/\.json$/, `.sidecar-${version}.json`)

/** Undefined for any other name. The last part counts: who puts a file into the storage may give it a name with dots, even the name of a sidecar. */
export function parseSidecarName (name: string): { snapshot: string, version: number } | undefined {
  const [, stem = '', version] = /^(.+)\.sidecar-([1-9]\d{0,8})\.json$/.exec(name) ?? []
  const snapshot = `${stem}.json`
  return version !== undefined && isSnapshotName(snapshot) ? { snapshot, version: Number(version) } : undefined
}

/** Whether there is room in a file's name for what sidecarName() adds. */
export const mayHaveSidecars = (snapshot: string): boolean => isSnapshotName(sidecarName(snapshot, longestVersion))
