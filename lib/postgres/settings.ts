import type { Transaction } from './driver/transaction.ts'
import { quoteLiteral } from './identifiers.ts'

/** Names of others are qualified in all that is sent and read under it. */
export const ownSearchPath = 'pg_catalog, pg_temp'

/**
 * Settings that change how values are written or read, which rows are seen, or how long a statement may take. A role or a database
 * may set each of them to something else, so every transaction pins them. Order matters nowhere.
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
  // Scans that start in the middle of a table would give another order each time
  synchronize_seqscans: 'off',
  // An error rather than a silently partial snapshot (manual, 5.9)
  row_security: 'off',
  // Compiling the catalog queries takes longer than running them
  jit: 'off',
  search_path: ownSearchPath,
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0'
}

/** `SET LOCAL` takes no snapshot, unlike set_config(): so it may precede the locks. */
const statements = Object.entries(pinned).map(([name, value]) => setLocal(name, value)).join('')

/** Quoted as one string, but for search_path, which is a list. */
export function setLocal (name: string, value: string): string {
  return `SET LOCAL ${name} = ${name === 'search_path' ? value : quoteLiteral(value)};`
}

/** @param serverVersion `server_version_num`: 17 brought transaction_timeout, which would end a long run. 0: the transaction is short */
export async function pinSettings (tx: Transaction, serverVersion = 0): Promise<void> {
  await tx.run(statements + (serverVersion >= 170000 ? setLocal('transaction_timeout', '0') : ''))
}

/**
 * Settings on which expressions in the database may depend, as the role has them itself: of a CHECK, an index, a generated column or a partition key, in
 * PostgreSQL's own functions (date_trunc() goes by TimeZone) and in those of users, which find by search_path what they name.
 *
 * Those that say how COPY text is read are not among them (lc_monetary, xmloption, array_nulls): the text of a snapshot means the same under
 * any of these.
 */
export type RoleSettings = Record<typeof ofTheRole[number], string>
const ofTheRole = ['search_path', 'timezone', 'datestyle', 'intervalstyle', 'extra_float_digits', 'bytea_output', 'row_security'] as const

/** An expression for all of them, as a JSON object. Before the settings are pinned, and with all names qualified. */
export const roleSettingsExpression = `pg_catalog.json_build_object(${ofTheRole.map((name) => `'${name}', pg_catalog.current_setting('${name}')`).join(', ')})`

/**
 * Whatever may run such an expression runs under the role's own settings. In what is sent meanwhile all names are qualified, those of
 * pg_catalog too.
 */
export async function withRoleSettings (tx: Transaction, settings: Partial<RoleSettings>, work: () => Promise<void>): Promise<void> {
  const entries = Object.entries(settings)
  await tx.run(`SELECT ${entries.map(([name, value]) => `pg_catalog.set_config('${name}', ${quoteLiteral(value)}, true)`).join(', ')}`)
  await work()
  await tx.run(entries.map(([name]) => setLocal(name, String(pinned[name]))).join(''))
}

/** The same with the search_path alone, for what is planned and not stored. */
export async function withSearchPath (tx: Transaction, { search_path: path }: RoleSettings, work: () => Promise<void>): Promise<void> {
  await withRoleSettings(tx, { search_path: path }, work)
}

/** For statements with expressions that pg_get_constraintdef() wrote: it does not qualify what is in pg_catalog. */
export const withCatalogFirst = (settings: RoleSettings): RoleSettings =>
  ({ ...settings, search_path: settings.search_path.trim() === '' ? ownSearchPath : `pg_catalog, ${settings.search_path}` })

/**
 * What this transaction commits is to survive a crash of the server, however the database is set (manual, 28.4): its row in the log goes before a
 * file and after one, and a restore that was told to be completed is. Any other setting than off waits at least for the own disk.
 */
export async function requireDurableCommit (tx: Transaction): Promise<void> {
  await tx.run("SELECT pg_catalog.set_config('synchronous_commit', 'on', true) WHERE pg_catalog.current_setting('synchronous_commit') = 'off'")
}
