import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { storageError } from './storage-error.ts'

/**
 * Identifies the backup log that a storage belongs to: an empty file beside the snapshots, with all data in its name. A
 * service renews its marker by publishing a new one before it removes the old one, so that the storage always has a
 * marker.
 */
export interface Marker {
  /** The database of the log: 12 hexadecimal digits that identify one database of one cluster. */
  database: string
  /** The OID of the log's table in that database. */
  log: string
  /** The running service that renews the marker, one of the replicas: 8 hexadecimal digits, new with each start. */
  instance: string
  /** When it was renewed, in milliseconds since the Unix epoch. */
  renewedAt: number
}

export const markerPrefix = '.fastify-backup-log.'

const pattern = /^\.fastify-backup-log\.([0-9a-f]{12})\.(\d{1,10})\.([0-9a-f]{8})\.(\d{13})\.json$/

/** `.fastify-backup-log.{database}.{log}.{instance}.{renewedAt}.json`. No snapshot's name begins with a dot. */
export const markerName = ({ database, log, instance, renewedAt }: Marker): string =>
  `.fastify-backup-log.${database}.${log}.${instance}.${renewedAt}.json`

/** Undefined for any other name. */
export function parseMarker (name: string): Marker | undefined {
  const [, database = '', log = '', instance = '', renewedAt = ''] = pattern.exec(name) ?? []
  return database === '' ? undefined : { database, log, instance, renewedAt: Number(renewedAt) }
}

export const isMarkerName = (name: string): boolean => pattern.test(name)

/**
 * Creates a marker in an existing directory. Needs no spool file, which a crash could leave behind, since an empty file
 * is complete as soon as it exists. Rejects with FST_BACKUP_STORAGE_FAILED or FST_BACKUP_STORAGE_FULL.
 */
export async function createMarkerFile (directory: string, name: string): Promise<void> {
  try {
    await writeFile(join(directory, name), '', { flag: 'wx', mode: 0o600 })
  } catch (error) {
    throw storageError(error, 'write its marker')
  }
}
