import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { storageError } from './storage-error.ts'

/**
 * What says to whom a storage belongs: an empty file beside the snapshots, whose name holds everything. So that it can be renewed without
 * an instant in which there is none, each service publishes another one before it removes the last.
 */
export interface Marker {
  /** The database of the log: 12 hexadecimal digits that tell one database of one cluster from all others. */
  database: string
  /** The log's table, by its oid in that database. */
  log: string
  /** The running service that keeps it, one of the replicas: 8 hexadecimal digits, new with each start. */
  holder: string
  /** When it was renewed, in milliseconds since the Unix epoch. */
  renewedAt: number
}

export const markerPrefix = '.fastify-backup-log.'

const pattern = /^\.fastify-backup-log\.([0-9a-f]{12})\.(\d{1,10})\.([0-9a-f]{8})\.(\d{13})\.json$/

/** `.fastify-backup-log.{database}.{log}.{holder}.{renewedAt}.json`; beginning with a dot, it is no snapshot's name. */
export const markerName = ({ database, log, holder, renewedAt }: Marker): string => `.fastify-backup-log.${database}.${log}.${holder}.${renewedAt}.json`

/** Undefined for any other name. */
export function parseMarker (name: string): Marker | undefined {
  const [, database = '', log = '', holder = '', renewedAt = ''] = pattern.exec(name) ?? []
  return database === '' ? undefined : { database, log, holder, renewedAt: Number(renewedAt) }
}

export const isMarkerName = (name: string): boolean => pattern.test(name)

/** In a directory that is there, without a spool file that a crash might leave behind: an empty file comes into being as a whole. Rejects with FST_BACKUP_STORAGE_FAILED or _FULL. */
export async function createMarkerFile (directory: string, name: string): Promise<void> {
  try {
    await writeFile(join(directory, name), '', { flag: 'wx', mode: 0o600 })
  } catch (error) {
    throw storageError(error, 'write its marker')
  }
}
