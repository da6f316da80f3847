import type { Transaction } from '../driver/transaction.ts'
import { type RoleSettings, roleSettingsExpression } from '../settings.ts'

/** Names of all schemas except those of PostgreSQL. */
export async function readSchemas (tx: Transaction): Promise<string[]> {
  const rows = await tx.query<{ name: string }>(
    "SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'")
  return rows.map(({ name }) => name)
}

/** Whether pg_catalog contains each of these tables of Citus. */
export interface CitusCatalog { partitions: boolean, schemas: boolean, groups: boolean }

/** What a run needs to know of the server. */
export interface ServerFacts {
  database: string
  version: string
  /** `server_version_num`. */
  versionNumber: number
  encoding: string
  roleSettings: RoleSettings
  replicationRole: string
  citus: CitusCatalog
}

/** Must run before the settings are pinned, so that `roleSettings` are the role's own. */
export async function readServer (tx: Transaction): Promise<ServerFacts> {
  return await tx.queryRow<ServerFacts>(`SELECT pg_catalog.current_database() AS "database",
    pg_catalog.regexp_replace(pg_catalog.current_setting('server_version'), ' .*', '') AS "version",
    pg_catalog.current_setting('server_version_num')::int AS "versionNumber",
    pg_catalog.current_setting('server_encoding') AS "encoding",
    ${roleSettingsExpression} AS "roleSettings",
    pg_catalog.current_setting('session_replication_role') AS "replicationRole",
    pg_catalog.json_build_object(
      'partitions', pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL,
      'schemas', pg_catalog.to_regclass('pg_catalog.pg_dist_schema') IS NOT NULL,
      'groups', pg_catalog.to_regclass('pg_catalog.pg_dist_local_group') IS NOT NULL) AS "citus"`)
}
