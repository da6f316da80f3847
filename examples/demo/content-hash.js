// @ts-check
/** @import { Sql } from 'postgres' */

/**
 * The content of a schema: for every table the number of its rows and a hash of them, for every sequence its state.
 * @typedef {{ rows: number, hash: string }} TableContent
 * @typedef {{ tables: Map<string, TableContent>, sequences: Map<string, string> }} Content
 */

/**
 * Reads the schema public at one instant, without backup_logs and its sequence, which must change.
 * @param {Sql} sql
 * @returns {Promise<Content>}
 */
export async function readContent (sql) {
  const content = await sql.begin('isolation level repeatable read, read only', async (tx) => {
    /** @type {Content} */
    const found = { tables: new Map(), sequences: new Map() }
    const relations = await tx`
      SELECT relname AS name, relkind = 'S' AS is_sequence FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')
        AND relname NOT IN ('backup_logs', 'backup_logs_ordinal_seq')
      ORDER BY relname`
    for (const { name, is_sequence: isSequence } of relations) {
      if (isSequence) {
        const [state] = await tx`SELECT last_value, is_called FROM ${tx(name)}`
        found.sequences.set(name, `${state?.last_value}${state?.is_called ? '' : ', not called'}`)
      } else {
        const [state] = await tx`
          SELECT count(*)::integer AS rows,
            md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C"), '')) AS hash
          FROM ${tx(name)} AS t`
        found.tables.set(name, { rows: state?.rows, hash: state?.hash })
      }
    }
    return found
  })
  return content
}

/**
 * The content that is expected after a restore: that from before the damage, except that excluded tables and their
 * identity sequences stay as the damage left them.
 * @param {Content} before
 * @param {Content} damaged
 * @param {string[]} excluded
 * @returns {Content}
 */
export function expectContent (before, damaged, excluded) {
  const names = new Set(excluded.flatMap((table) => [table, `${table}_id_seq`]))
  const isExcluded = (/** @type {string} */ name) => names.has(name)
  return {
    tables: mix(before.tables, damaged.tables, isExcluded),
    sequences: mix(before.sequences, damaged.sequences, isExcluded)
  }
}

/**
 * The names of tables and sequences that differ, are missing or are additional. Empty if the contents are equal.
 * @param {Content} expected
 * @param {Content} actual
 * @returns {string[]}
 */
export function compareContent (expected, actual) {
  return [
    ...differing(expected.tables, actual.tables, (a, b) => a.rows === b.rows && a.hash === b.hash),
    ...differing(expected.sequences, actual.sequences, (a, b) => a === b)
  ]
}

/**
 * @template T
 * @param {Map<string, T>} expected
 * @param {Map<string, T>} actual
 * @param {(a: T, b: T) => boolean} areSame
 */
function differing (expected, actual, areSame) {
  return [...new Set([...expected.keys(), ...actual.keys()])].filter((name) => {
    const a = expected.get(name)
    const b = actual.get(name)
    return a === undefined || b === undefined || !areSame(a, b)
  })
}

/**
 * @template T
 * @param {Map<string, T>} before
 * @param {Map<string, T>} damaged
 * @param {(name: string) => boolean} isExcluded
 */
function mix (before, damaged, isExcluded) {
  const restored = [...before].filter(([name]) => !isExcluded(name))
  const kept = [...damaged].filter(([name]) => isExcluded(name))
  return new Map([...restored, ...kept])
}
