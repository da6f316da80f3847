import { readdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseMarker } from '../../lib/storage/marker.ts'
import { parseSidecarName } from '../../lib/storage/sidecar-name.ts'
import { locksLeft } from '../support/backends.ts'
import { testSchema } from '../support/database.ts'
import type { Place } from '../support/engine.ts'

interface Row { id: string, status: string, filename: string, restoring: boolean, removing: boolean }

/**
 * Checks the condition at the end of every scenario: the log is correct, and the directory contains exactly the files
 * of the log. Returns the violations.
 */
export async function violations ({ sql, directory }: Place): Promise<string[]> {
  const [log] = await sql`SELECT to_regclass(${`${testSchema}.backup_logs`}) IS NOT NULL AS exists`
  if (log?.exists !== true) return ['there is no log']
  const rows = await sql<Row[]>`
    SELECT id, status, filename, restores @> '[{"status": "running"}]' AS restoring,
      removed_at IS NOT NULL AS removing
    FROM ${sql(testSchema)}.backup_logs`
  const files = (await readdir(directory).catch(() => [])).filter((name) => parseMarker(name) === undefined)
  const hasFile = ({ status, removing }: Row): boolean => !removing && ['completed', 'restored'].includes(status)
  const named = new Set(rows.filter(hasFile).map(({ filename }) => filename))
  const snapshotOf = (name: string): string => parseSidecarName(name)?.snapshot ?? name
  return [
    ...rows.filter(({ status }) => status === 'running').map(({ id }) => `the backup ${id} counts as running`),
    ...rows.filter(({ restoring }) => restoring).map(({ id }) => `the restore of ${id} counts as running`),
    ...[...named].filter((name) => !files.includes(name)).map((name) => `the file ${name} is missing`),
    ...files.filter((name) => !named.has(snapshotOf(name))).map((name) => `no row names the file ${name}`),
    ...(await locksLeft(sql)).map((lock) => `a lock is held: ${lock}`)
  ]
}

/** Waits until violations() returns no violations. Rejects with them after `limitMs`, the maximum time of healing. */
export async function untilConsistent (place: Place, limitMs = 15_000): Promise<void> {
  const end = Date.now() + limitMs
  for (;;) {
    const problems = await violations(place)
    if (problems.length === 0) return
    if (Date.now() > end) throw new Error(problems.join('; '))
    await delay(20)
  }
}

/** Resolves with `done`, with the error code of the call, or after `limitMs` with the fact that it did not end. */
export async function outcome (call: Promise<unknown>, limitMs: number): Promise<string> {
  return await Promise.race([
    call.then(() => 'done', (error) => String(error.code)),
    delay(limitMs, 'it did not end', { ref: false })
  ])
}

/** The possible outcomes when the database becomes unavailable during a call. Which one depends on the moment. */
const expectedErrors = [
  'DATABASE_UNAVAILABLE', 'DATABASE_FAILED', 'RESTORE_FAILED', 'RESTORE_UNCERTAIN', 'ABORTED', 'BUSY', 'LOCK_TIMEOUT',
  'LOG_UNUSABLE'
]
export const expectedOutcome = new RegExp(`^(?:done|FST_BACKUP_(?:${expectedErrors.join('|')}))$`)
