import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { BackupLog } from '../log/backup-log.ts'
import { logTableName } from '../log/log-table.ts'
import type { ResolvedOptions } from '../options/resolve-service-options.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import type { TableRef } from '../postgres/identifiers.ts'
import type { StoredFile } from '../storage/stored-file.ts'
import type { Destination } from '../snapshot/open-sink.ts'
import type { Backup, BackupLogger, SnapshotStorage } from '../../types/index.ts'
import type { EventHub } from './event-hub.ts'
import type { Runner } from '../worker/runner.ts'
import type { Runs } from './active-runs.ts'
import type { StoragePresence } from './storage-presence.ts'

/** The parts of the service that every use case works with. */
export interface Context {
  options: ResolvedOptions
  /** Whether the caller may use this schema. The service itself may use every schema except system schemas. */
  isAllowed: (schema: string) => boolean
  sql: Sql
  log: BackupLog
  storage: SnapshotStorage
  events: EventHub
  runs: Runs
  /** Whether the storage is the one that the log knows. */
  presence: StoragePresence
  /** Performs backups and restores, in a worker thread or in this one. */
  runner: Runner
  clock: Clock
  logger: BackupLogger
  /** Ids of backups whose files this process could not delete and has reported. */
  undeletable: Set<string>
  /** See Adoption.finish(). */
  adoptAfterLoss: () => Promise<void>
  /** Requests healing of the log in the background, after the end of a run could not be recorded. */
  requestHealing: () => void
}

/** The file of a backup on this machine; null with a custom storage. */
export const storedFile = ({ options }: Context, { filename }: { filename: string }): StoredFile | null =>
  options.storage === undefined ? { directory: options.storagePath, name: filename } : null

/** A snapshot is written to this file until it is complete. */
export const spoolPath = ({ options }: Context, id: string): string =>
  join(options.storagePath, `.${id}.partial`)

/** Where and how a snapshot is written. */
export const destination = (context: Context, id: string): Destination =>
  ({ spoolPath: spoolPath(context, id), compression: context.options.compression })

/** How the snapshots of this service are compressed. */
export const compressionType = ({ options: { compression } }: Context): Backup['compression'] =>
  compression?.type ?? 'none'

export const logTable = ({ options }: Context): TableRef => ({ schema: options.logSchema, name: logTableName })
