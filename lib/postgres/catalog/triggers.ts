import { qualifiedName, quoteIdentifier, type TableRef } from '../identifiers.ts'
import { runInChunks } from '../run-statements.ts'
import type { Transaction } from '../driver/transaction.ts'

/** A user's trigger that is enabled: `O`rigin (the default), `R`eplica or `A`lways (pg_trigger.tgenabled). */
export interface EnabledTrigger { name: string, table: TableRef, state: 'O' | 'R' | 'A' }

export async function readEnabledTriggers (tx: Transaction, relations: string[]): Promise<EnabledTrigger[]> {
  return await tx.query<EnabledTrigger>(`
    SELECT t.tgname AS name, json_build_object('schema', n.nspname, 'name', c.relname) AS table, t.tgenabled AS state
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.tgrelid = ANY ($1::oid[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
    ORDER BY n.nspname, c.relname, t.tgname`, [`{${relations.join(',')}}`])
}

const clause = { O: 'ENABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' }

// ONLY: each partition has a separate state
const alter = ({ table, name }: EnabledTrigger, action: string): string =>
  `ALTER TABLE ONLY ${qualifiedName(table.schema, table.name)} ${action} TRIGGER ${quoteIdentifier(name)}`

/**
 * Disables them by their names: a role that is not a superuser may disable users' triggers, but not those of foreign
 * keys.
 */
export async function disableTriggers (tx: Transaction, triggers: EnabledTrigger[]): Promise<void> {
  await runInChunks(tx, triggers.map((trigger) => alter(trigger, 'DISABLE')))
}

export async function enableTriggers (tx: Transaction, triggers: EnabledTrigger[]): Promise<void> {
  await runInChunks(tx, triggers.map((trigger) => alter(trigger, clause[trigger.state])))
}
