import type { Context } from '../runs/context.ts'
import { isMarkerName } from '../storage/marker.ts'
import { parseSidecarName } from '../storage/sidecar-name.ts'
import { sidecarsBySnapshot } from './sidecar.ts'
import { requireOwnStorage } from './storage-ownership.ts'

/** The storage beside the log. */
export interface Comparison {
  /** Files that have no row, whatever they are, by name. */
  unknown: string[]
  /** Of all backups that have a row. */
  ids: Set<string>
  /** Versions of the sidecars of each snapshot, newest first. */
  sidecars: Map<string, number[]>
}

/** @throws FST_BACKUP_STORAGE_TAKEN */
export async function compareStorage (context: Context): Promise<Comparison> {
  // In this order: a run's row comes before its file, and goes after it
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
