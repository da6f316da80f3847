import { createHash } from 'node:crypto'
import type { LogAccess } from './log-access.ts'

/** What tells one log from all others, a copy in another database included. See Marker. */
export interface LogIdentity { database: string, log: string }

export function logIdentity ({ table, transact }: LogAccess) {
  return {
    /** A cluster is told by its system identifier (manual, 9.28.10), which the superuser may have taken from everybody. */
    async identify (): Promise<LogIdentity> {
      return await transact(async (tx) => {
        const { database, log, mayAsk } = await tx.queryRow<{ database: string, log: string, mayAsk: boolean }>(`SELECT oid::text AS database, $1::text::pg_catalog.regclass::oid::text AS log,
          pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS "mayAsk"
          FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`, [table])
        const [cluster] = mayAsk ? await tx.query<{ system: string }>('SELECT system_identifier::text AS system FROM pg_catalog.pg_control_system()') : []
        return { database: createHash('sha256').update(`${cluster?.system} ${database}`).digest('hex').slice(0, 12), log }
      })
    },

    /** Whether there is another log with this oid, in this database. */
    async exists (log: string): Promise<boolean> {
      return await transact(async (tx) => {
        const { exists } = await tx.queryRow<{ exists: boolean }>('SELECT coalesce(pg_catalog.obj_description($1::text::oid, \'pg_class\'), \'\') LIKE \'fastify-backup log, %\' AS exists', [log])
        return exists
      })
    }
  }
}
