import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { ArgumentInvalid, SnapshotInvalid } from '../errors.ts'
import { backupKey, tryLock } from '../postgres/locks.ts'
import { pinSettings } from '../postgres/settings.ts'
import { inTransaction } from '../postgres/driver/transaction.ts'
import { snapshotFilename } from '../snapshot/file-format.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import type { Backup, ImportOptions } from '../../types/index.ts'
import { checkArguments, isNote } from '../arguments/check-arguments.ts'
import { requireAllowed } from '../callers/schema-access.ts'
import { type Context, spoolPath } from '../runs/context.ts'
import { callGuarded } from '../runs/event-hub.ts'
import { findForeignProblems } from '../snapshot/find-foreign-problems.ts'
import { outcomeOf } from '../runs/public-error.ts'
import { pruneAfterRun } from '../consistency/prune-schema.ts'
import { createPublication } from '../consistency/publish-snapshot.ts'
import { receiveFile } from '../storage/receive-file.ts'
import type { Run } from '../runs/active-runs.ts'
import { requireOwnStorage } from '../consistency/storage-ownership.ts'

/**
 * Takes in a snapshot that was made elsewhere. It is checked while it arrives, and only a whole one gets a row and a place in the storage; the file
 * stays as it is, to the byte.
 */
export async function importBackup (context: Context, source: Readable, request: ImportOptions = {}): Promise<Backup> {
  if (typeof source !== 'object' || source === null || !(Symbol.asyncIterator in source)) throw new ArgumentInvalid('import() takes a stream of bytes')
  checkArguments('import', request)
  await context.log.prepare()
  await requireOwnStorage(context)
  await context.adoptLost()
  await context.presence.prepare()
  const id = randomUUID()
  const run = await context.runs.beginUpload(id, request.signal)
  try {
    const read = await receive(context, id, source, request, run).catch((error: unknown) => { throw outcomeOf(error, run.signal) })
    return await publish(context, id, read, request, run)
  } finally {
    run.end()
  }
}

/** Gives a file of sound content at the spool path, or leaves none. */
async function receive (context: Context, id: string, source: Readable, { onProgress }: ImportOptions, { signal }: Run): Promise<ReadSnapshot> {
  const file = await receiveFile(source, spoolPath(context, id), signal)
  try {
    const read = await context.runner.readThrough(null, {
      open: async () => file.stream,
      limits: context.options.limits,
      onProgress (progress) {
        callGuarded(() => onProgress?.(progress), () => { context.logger.error({ id }, 'the onProgress of a call threw') })
      },
      signal
    }).catch((error: unknown) => { throw file.stream.errored ?? error })
    const problems = findForeignProblems(read)
    if (problems.length > 0) throw new SnapshotInvalid(problems.join('; '))
    requireAllowed(context, read.manifest.schema)
    await file.finish()
    return read
  } catch (error) {
    await file.discard()
    throw error
  }
}

/**
 * The row comes last, so that what is no snapshot leaves none. While it is running, the lock of the backup tells healing that somebody is at it;
 * that of the schema is not needed, since a backup beside it does no harm.
 */
async function publish (context: Context, id: string, read: ReadSnapshot, request: ImportOptions, { startedAt, signal }: Run): Promise<Backup> {
  const { events } = context
  const { manifest } = read
  const { schema } = manifest
  const publication = createPublication(context, {
    id,
    schema,
    filename: snapshotFilename(schema, startedAt),
    trigger: 'import',
    createdBy: request.actor ?? null,
    cron: null,
    note: request.note ?? (isNote(manifest.note) ? manifest.note : null),
    startedAt,
    slot: null,
    partial: manifest.partial ?? false
  })
  try {
    await inTransaction(context.sql, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => {
      await pinSettings(tx)
      await tryLock(tx, backupKey(id))
      events.emit('backup:started', await publication.begin())
      await publication.publish(read)
    }, signal)
  } catch (error) {
    // What is published is there, whatever becomes of the transaction, which held nothing but the lock
    if (!publication.isCompleted()) {
      const failure = outcomeOf(error, signal)
      if (!publication.hasBegun()) {
        await rm(spoolPath(context, id), { force: true }).catch(() => {})
        throw failure
      }
      await publication.settle(failure)
      if (!publication.isCompleted()) events.emit('backup:failed', { id, schema, error: failure })
    }
  }
  const backup = publication.outcome()
  events.emit('backup:completed', backup)
  await pruneAfterRun(context, schema, 'import', id)
  return backup
}
