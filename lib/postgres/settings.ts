import type { Transaction } from './driver/transaction.ts'
import { quoteLiteral } from './identifiers.ts'

/**
 * Under it, statements must qualify all names that are not in pg_catalog, and the server qualifies them in its output.
 */
export const ownSearchPath = 'pg_catalog, pg_temp'

/**
 * Settings that change how values are written or read, which rows are visible, or how long a statement may take. A role
 * or a database may set each of them to another value, so every transaction pins them. Their order has no meaning.
 */
const pinned: Record<string, string> = {
  client_encoding: 'UTF8',
  datestyle: 'ISO, MDY',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '3',
  bytea_output: 'hex',
  lc_monetary: 'C',
  xmloption: 'content',
  array_nulls: 'on',
  quote_all_identifiers: 'off',
  standard_conforming_strings: 'on',
  // Scans that start in the middle of a table would return another order each time
  synchronize_seqscans: 'off',
  // An error rather than a silently partial snapshot (manual, 5.9)
  row_security: 'off',
  // Compiling the catalog queries takes longer than running them
  jit: 'off',
  // Without it, every range of a table would be found by reading the whole table
  enable_tidscan: 'on',
  search_path: ownSearchPath,
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0'
}

/** Unlike set_config(), `SET LOCAL` takes no snapshot: so it may run before the locks are taken. */
export const pinnedSettings = Object.entries(pinned).map(([name, value]) => setLocal(name, value)).join('')

/** Quotes the value as one string, except that of search_path, which is a list. */
export function setLocal (name: string, value: string): string {
  return `SET LOCAL ${name} = ${name === 'search_path' ? value : quoteLiteral(value)};`
}

/**
 * @param serverVersion `server_version_num`: PostgreSQL 17 has transaction_timeout, which would end a long run. 0 for a
 * short transaction
 */
export async function pinSettings (tx: Transaction, serverVersion = 0): Promise<void> {
  await tx.run(pinnedFor(serverVersion))
}

const pinnedFor = (serverVersion: number): string =>
  pinnedSettings + (serverVersion >= 170000 ? setLocal('transaction_timeout', '0') : '')

/**
 * The role's own values of settings on which expressions in the database may depend: expressions of a CHECK, an index,
 * a generated column or a partition key, with functions of PostgreSQL (date_trunc() uses TimeZone) or of users, which
 * find other objects by search_path.
 *
 * Settings that control how COPY text is read are not included (lc_monetary, xmloption, array_nulls). The text of a
 * snapshot means the same for any values of the included ones.
 */
export type RoleSettings = Record<typeof ofTheRole[number], string>
const ofTheRole = [
  'search_path', 'timezone', 'datestyle', 'intervalstyle', 'extra_float_digits', 'bytea_output', 'row_security'
] as const

/**
 * An expression for all of them as a JSON object. To be evaluated before the settings are pinned, so its names are
 * qualified.
 */
export const roleSettingsExpression = `pg_catalog.json_build_object(${
  ofTheRole.map((name) => `'${name}', pg_catalog.current_setting('${name}')`).join(', ')})`

/**
 * Runs `work` under the role's own settings, as everything must run that may evaluate such an expression. Statements of
 * `work` must qualify all names, those of pg_catalog too.
 */
export async function withRoleSettings (
  tx: Transaction, settings: Partial<RoleSettings>, work: () => Promise<void>
): Promise<void> {
  const entries = Object.entries(settings)
  const calls = entries.map(([name, value]) => `pg_catalog.set_config('${name}', ${quoteLiteral(value)}, true)`)
  await tx.run(`SELECT ${calls.join(', ')}`)
  await work()
  await tx.run(entries.map(([name]) => setLocal(name, String(pinned[name]))).join(''))
}

/** Runs `work` under the role's own search_path only, for statements that are planned and do not store values. */
export async function withSearchPath (
  tx: Transaction, { search_path: path }: RoleSettings, work: () => Promise<void>
): Promise<void> {
  await withRoleSettings(tx, { search_path: path }, work)
}

/** For statements with expressions of pg_get_constraintdef(), which does not qualify names of pg_catalog. */
export function withCatalogFirst (settings: RoleSettings): RoleSettings {
  const path = settings.search_path
  return { ...settings, search_path: path.trim() === '' ? ownSearchPath : `pg_catalog, ${path}` }
}

/**
 * Like pinSettings(), and makes the commit of this transaction survive a crash of the server, even if the database has
 * synchronous_commit = off (manual, 28.4): a row of the log is written before its file and deleted after it, and a
 * restore that was reported as completed must be. All other values wait at least for the server's own disk.
 */
export async function pinDurableSettings (tx: Transaction, serverVersion = 0): Promise<void> {
  await tx.run(`${pinnedFor(serverVersion)}${durableCommit}`)
}

/** Returns no row in any case, so that it can share a round trip with a query. */
const durableCommit = `SELECT 1 WHERE CASE WHEN pg_catalog.current_setting('synchronous_commit') = 'off'
  THEN pg_catalog.set_config('synchronous_commit', 'on', true) IS NULL ELSE false END;`

/** The settings of pinDurableSettings() for a transaction of one statement. */
export const durableSettings = pinnedSettings + durableCommit
