import { isSnapshotName } from './snapshot-name.ts'

const longestVersion = 999_999_999
const isCompressedName = /\.json(?:\.gz|\.zst)$/

/**
 * The file beside a snapshot that contains the pin, the note and other changes that users made after the snapshot was
 * taken: `public_2026-11-22T17-45-00-123Z.sidecar-1.json`, and `….json.gz.sidecar-1.json` for a compressed one. Files
 * are never overwritten, so each change creates the next version.
 */
export const sidecarName = (snapshot: string, version: number): string =>
  `${snapshot.replace(/\.json$/, '')}.sidecar-${version}.json`

/**
 * Undefined for any other name. Only the last part decides: a file that a user copies into the storage may have a name
 * with dots, even the name of a sidecar.
 */
export function parseSidecarName (name: string): { snapshot: string, version: number } | undefined {
  const [, stem = '', version] = /^(.+)\.sidecar-([1-9]\d{0,8})\.json$/.exec(name) ?? []
  const snapshot = isCompressedName.test(stem) ? stem : `${stem}.json`
  return version !== undefined && isSnapshotName(snapshot) ? { snapshot, version: Number(version) } : undefined
}

/** Whether the name is short enough for what sidecarName() adds. */
export const mayHaveSidecars = (snapshot: string): boolean => isSnapshotName(sidecarName(snapshot, longestVersion))
