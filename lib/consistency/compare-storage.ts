import type { Context } from '../runs/context.ts'
import { isMarkerName } from '../storage/marker.ts'
import { parseSidecarName } from '../storage/sidecar-name.ts'
import { sidecarsBySnapshot } from './sidecar.ts'
import { requireOwnStorage } from './storage-ownership.ts'

/** The storage compared with the log. */
export interface Comparison {
  /** Names of the files that have no row, whether they are snapshots or not. */
  unknown: string[]
  /** Ids of all backups that have a row. */
  ids: Set<string>
  /** Versions of the sidecars of each snapshot, newest first. */
  sidecars: Map<string, number[]>
}

/** @throws FST_BACKUP_STORAGE_TAKEN */
export async function compareStorage (context: Context): Promise<Comparison> {
  // The storage first: a run inserts its row before its file exists, and deletes the row after the file
  const stored = (await context.storage.list()).map(({ name }) => name).sort()
  await requireOwnStorage(context, stored)
  const rows = await context.log.files()
  const known = new Set(rows.map(({ filename }) => filename))
  return {
    unknown: stored.filter((name) => !known.has(name) && !isMarkerName(name) && parseSidecarName(name) === undefined),
    ids: new Set(rows.map(({ id }) => id)),
    sidecars: sidecarsBySnapshot(stored)
  }
}
