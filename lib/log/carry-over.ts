import { asciiJson } from '../postgres/ascii.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { EventEntry } from './event-records.ts'
import { isRecent, newEvent, withEvents } from './log-access.ts'
import { logColumns, type LogRow } from './log-row.ts'

/** The key of a run in the column `carried`: `scheduled failed`. */
export const kindOfRun = "trigger || CASE status WHEN 'failed' THEN ' failed' ELSE ' completed' END"

/** What a statement that deletes rows must return. */
export const returnedByDelete = `CASE WHEN counted AND status <> 'running' THEN ${kindOfRun} END AS kind, carried,
  (SELECT coalesce(jsonb_agg(event ORDER BY place), '[]') FROM jsonb_array_elements(events)
    WITH ORDINALITY AS e (event, place) WHERE ${isRecent('event')}) AS events, ${logColumns}`

export type DeletedRow = LogRow & { kind: string | null, carried: Record<string, number>, events: EventEntry[] }

/**
 * Adds the runs of deleted rows to those of another row of the schema, in the transaction that deletes them. Otherwise
 * the number of runs would decrease with retention, and a monitoring system would take that for a restart. Also adds
 * their recent events, which other replicas may not have read. The caller has the retention lock of the schema, so that
 * the other row is not deleted meanwhile, and has locked the rows.
 */
export async function carryOver (tx: Transaction, table: string, heir: string, deleted: DeletedRow[]): Promise<void> {
  const counts = deleted.flatMap(({ kind, carried }) =>
    [...Object.entries(carried), ...kind === null ? [] : [[kind, 1] as const]])
  if (counts.length > 0) await carryCounts(tx, table, heir, counts)
  const events = deleted.flatMap(({ events: entries, kind, carried, ...row }) =>
    entries.map((entry) => ({ row: asciiJson(row), ...entry })))
  if (events.length > 0) await addEvents(tx, table, heir, '$2::text::jsonb', JSON.stringify(events))
}

async function carryCounts (
  tx: Transaction, table: string, heir: string, counts: Array<readonly [kind: string, runs: number]>
): Promise<void> {
  await tx.query(`WITH q AS (UPDATE ${table} heir SET carried = (SELECT jsonb_object_agg(kind, runs)
      FROM (SELECT kind, sum(runs) AS runs FROM (
        SELECT kind, runs::int8 FROM jsonb_each_text(heir.carried) AS own (kind, runs)
        UNION ALL SELECT added ->> 0, (added ->> 1)::int8 FROM jsonb_array_elements($2::text::jsonb) AS a (added)
      ) each_run GROUP BY kind) sums)
    WHERE id = $1::text::uuid RETURNING id)`, [heir, JSON.stringify(counts)])
}

/** Records in a row that another one has been pruned. */
export async function recordPruned (
  tx: Transaction, table: string, recorder: string, pruned: LogRow, reason: string
): Promise<void> {
  const entry = { name: 'backup:pruned', reason, row: asciiJson(pruned) }
  await addEvents(tx, table, recorder, `jsonb_build_array(${newEvent('$2::text::jsonb')})`, JSON.stringify(entry))
}

async function addEvents (tx: Transaction, table: string, id: string, entries: string, json: string): Promise<void> {
  await tx.query(`WITH q AS (UPDATE ${table} SET ${withEvents(entries)} WHERE id = $1::text::uuid RETURNING id)`,
    [id, json])
}
