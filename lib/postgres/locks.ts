import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Busy, LockTimeout } from '../errors.ts'
import { isCanceled, isLockTimeout } from './database-error.ts'
import { qualifiedName, type TableRef } from './identifiers.ts'
import { setLocal } from './settings.ts'
import type { Transaction } from './driver/transaction.ts'

/*
 * Lock order. Each kind of transaction takes its locks in this order. A transaction never waits for a lock that is
 * "tried": when another session has it, the transaction fails or skips what the lock protects, except where a comment
 * says otherwise. So two of these transactions do not deadlock with each other, with one exception below.
 *
 *   listing    1. schemaKey: tried, in the transaction that lists the tables of a backup
 *   backup     1. tables: ACCESS SHARE, all in one statement, with a timeout and retries
 *              2. schemaKey: tried
 *              3. sequences: ACCESS SHARE, to read their values
 *              4. with `connections` above 1, in each further transaction, the tables of step 1: tried. Somebody who
 *                 waits for a lock on one of them would wait for the backup, and the backup for them. Then this backup
 *                 uses one connection
 *   restore    1. schemaKey: tried
 *              2. backupKey of the snapshot and of its pre_restore snapshot: tried, shared
 *              3. tables, and those at the other end of their foreign keys: ACCESS EXCLUSIVE, all in one statement,
 *                 with a timeout and retries
 *              4. the sequences to change: after the tables, since applications lock a table and then its sequence
 *              5. referenced tables that the role cannot lock: by ADD FOREIGN KEY, with a lock_timeout. This breaks
 *                 the order, so it may end in a timeout
 *              6. rows of the log: the snapshot's and those that it affects, the newest first
 *   import     1. backupKey: tried
 *   marking    1. retentionKey: waits for another removal in the schema
 *              2. of each backup to remove, the newest first: backupKey, tried, so that a backup in use stays; then its
 *                 row of the log
 *   deletion   1. retentionKey: waits for another removal in the schema
 *              2. rows of the log, the newest first: that of the removed backup, and the newest other one of the
 *                 schema, which gets its counts and its events
 *   thinning   1. retentionKey: waits for another removal in the schema
 *              2. rows of the log: failed attempts for a slot, then the newest attempt, which gets their counts and
 *                 their events. No other transaction locks two such rows, except under the retentionKey
 *   update     1. rows of the log: the backup's, then the adopted ones that its acceptance changes, the newest first,
 *                 all of them older
 *   migration  1. migrationKey: waits for another replica that creates or migrates the log table
 *              2. the log table
 *
 * Runs write to the log in short transactions on a separate pool; only the completion of a restore is part of the
 * restore's transaction. A run is alive while its schemaKey (an import: its backupKey) is locked, which is only read
 * from pg_locks.
 */

/**
 * Keys of advisory locks at transaction level (manual, 13.3.5): these locks end with the transaction that does the
 * work, also in a crash, and they work in PgBouncer's transaction mode. A key is 64 bits of a hash, and valid in one
 * database.
 */
export const schemaKey = (schema: string): string => advisoryKey(`schema ${schema}`)
export const backupKey = (id: string): string => advisoryKey(`backup ${id}`)
export const retentionKey = (schema: string): string => advisoryKey(`retention ${schema}`)
export const migrationKey = (schema: string): string => advisoryKey(`migration ${schema}`)

function advisoryKey (subject: string): string {
  return createHash('sha256').update(`fastify-backup ${subject}`).digest().readBigInt64BE().toString()
}

async function advisory (tx: Transaction, call: string, key: string): Promise<boolean> {
  const { locked } = await tx.queryRow<{ locked: boolean }>(
    `SELECT pg_catalog.${call}($1::text::int8) AS locked`, [key])
  return locked
}

export const tryLock = async (tx: Transaction, key: string): Promise<boolean> =>
  await advisory(tx, 'pg_try_advisory_xact_lock', key)
export const tryLockShared = async (tx: Transaction, key: string): Promise<boolean> =>
  await advisory(tx, 'pg_try_advisory_xact_lock_shared', key)

/** Locks a schema for a run, until the transaction ends. Throws FST_BACKUP_BUSY when another run has locked it. */
export async function lockSchema (tx: Transaction, schema: string): Promise<void> {
  if (!await tryLock(tx, schemaKey(schema))) throw new Busy(`Another backup or restore of schema ${schema} is running`)
}

/** Whether a session of this database has the lock. pg_locks has the key in two halves (manual, 53.13). */
export async function isLocked (tx: Transaction, key: string): Promise<boolean> {
  const { locked } = await tx.queryRow<{ locked: boolean }>(`SELECT EXISTS (SELECT FROM pg_catalog.pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    AND (classid::int8 << 32 | objid::int8) = $1::text::int8) AS locked`, [key])
  return locked
}

/** Waits for the lock. */
export async function waitForLock (tx: Transaction, key: string): Promise<void> {
  await tx.query('SELECT pg_catalog.pg_advisory_xact_lock($1::text::int8)::text AS locked', [key])
}

/** Identifies a relation that was locked by its name: another one may get the name later, or this one another name. */
export const relationIdentity = ({ oid, schema, name }: TableRef & { oid: string }): string =>
  JSON.stringify([oid, schema, name])

export type LockMode = 'ACCESS SHARE' | 'ACCESS EXCLUSIVE'

/** For each lock. Longer than deadlock_timeout (1 s), so that a deadlock is reported as one. */
export const lockTimeoutMs = 3000
/** For all locks of one attempt together. */
const statementTimeoutMs = 20_000
const attempts = 6

/** Other sessions have the locks. */
class LocksUnavailable extends Error {}

/**
 * Locks all relations in one statement, within the lock timeout, and none of their descendants (ONLY). One round trip.
 */
export async function lockRelations (tx: Transaction, relations: TableRef[], mode: LockMode): Promise<void> {
  if (relations.length === 0) return
  const list = relations.map(({ schema, name }) => `ONLY ${qualifiedName(schema, name)}`).join(', ')
  await tx.run(`${lockTimeouts}LOCK TABLE ${list} IN ${mode} MODE;${noLockTimeouts}`).catch(asLocksUnavailable)
}

const lockTimeouts = setLocal('lock_timeout', String(lockTimeoutMs)) +
  setLocal('statement_timeout', String(statementTimeoutMs))
const noLockTimeouts = setLocal('lock_timeout', '0') + setLocal('statement_timeout', '0')

function asLocksUnavailable (error: unknown): never {
  if (!isLockTimeout(error) && !isCanceled(error)) throw error
  throw new LocksUnavailable('other sessions have the locks', { cause: error })
}

/** Like lockRelations(), but a statement, which fails if another session has such a lock or waits for one. */
export function lockAtOnce (relations: TableRef[], mode: LockMode): string {
  const list = relations.map(({ schema, name }) => `ONLY ${qualifiedName(schema, name)}`).join(', ')
  return `LOCK TABLE ${list} IN ${mode} MODE NOWAIT;`
}

/**
 * Runs `lock`, which takes locks, with a timeout: it limits how long other sessions wait behind it. lockWithRetries()
 * retries then.
 */
export async function withinLockTimeout<T> (tx: Transaction, lock: () => Promise<T>): Promise<T> {
  await tx.run(lockTimeouts)
  const locked = await lock().catch(asLocksUnavailable)
  await tx.run(noLockTimeouts)
  return locked
}

/**
 * Runs `attempt`, and retries when it did not get its locks in time. Throws FST_BACKUP_LOCK_TIMEOUT after the last
 * attempt.
 * @param pause before a retry, so that sessions that waited behind the locks can continue; tests replace it
 */
export async function lockWithRetries<T> (
  attempt: () => Promise<T>, signal: AbortSignal | undefined, pause = pauseAfter
): Promise<T> {
  for (let tries = 1; tries <= attempts; tries++) {
    if (tries > 1) await pause(tries - 1, signal)
    signal?.throwIfAborted()
    const locked = await attempt().then((value) => ({ value }), (error: unknown) => {
      if (!(error instanceof LocksUnavailable)) throw error
    })
    if (locked !== undefined) return locked.value
  }
  throw new LockTimeout(`${attempts} attempts of ${lockTimeoutMs} ms each`)
}

async function pauseAfter (tries: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(tries * 200 + Math.random() * 200, undefined, signal === undefined ? {} : { signal }).catch(() => {})
}
