/**
 * The file beside a snapshot that keeps what was said of it after it was made: `public_2026-11-22T17-45-00-123Z.sidecar-1.json`. Files are never
 * written over, so each change makes one of the next version. The names that the plugin gives to snapshots have no other dot.
 */
export const sidecarName = (snapshot: string, version: number): string => snapshot.replace(/\.json$/, `.sidecar-${version}.json`)

/** Undefined for any other name. */
export function parseSidecarName (name: string): { snapshot: string, version: number } | undefined {
  const [, snapshot, version] = /^([^.]+)\.sidecar-(\d{1,9})\.json$/.exec(name) ?? []
  return snapshot === undefined ? undefined : { snapshot: `${snapshot}.json`, version: Number(version) }
}
