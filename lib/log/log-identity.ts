import { createHash } from 'node:crypto'
import type { LogAccess } from './log-access.ts'

/** Distinguishes a log from all others, also from its copy in another database. See Marker. */
export interface LogIdentity { database: string, log: string }

/** Identifies this log, and others in this database. */
export function logIdentity ({ table, transact }: LogAccess) {
  return {
    /**
     * A cluster has a system identifier (manual, 9.28.10), but the superuser may have revoked the function that returns
     * it.
     */
    async identify (): Promise<LogIdentity> {
      return await transact(async (tx) => {
        const { database, log, mayRead } = await tx.queryRow<LogIdentity & { mayRead: boolean }>(`SELECT
            oid::text AS database,
            $1::text::pg_catalog.regclass::oid::text AS log,
            pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS "mayRead"
          FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`, [table])
        const [cluster] = mayRead
          ? await tx.query<{ system: string }>(
            'SELECT system_identifier::text AS system FROM pg_catalog.pg_control_system()')
          : []
        const hash = createHash('sha256').update(`${cluster?.system} ${database}`).digest('hex')
        return { database: hash.slice(0, 12), log }
      })
    },

    /** Whether this database contains a log with this oid. */
    async exists (log: string): Promise<boolean> {
      return await transact(async (tx) => {
        const { exists } = await tx.queryRow<{ exists: boolean }>(`SELECT
          coalesce(pg_catalog.obj_description($1::text::oid, 'pg_class'), '') LIKE 'fastify-backup log, %' AS exists`,
        [log])
        return exists
      })
    }
  }
}
