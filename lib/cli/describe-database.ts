import type { BackupServiceOptions } from '../../types/index.ts'

/**
 * Which database a command works on, so that a person notices a wrong one before a restore. Never contains the user or
 * the password.
 */
export function describeDatabase ({ sql, connection }: BackupServiceOptions, env: NodeJS.ProcessEnv): string {
  const { PGHOST = 'localhost', PGPORT = '5432', PGDATABASE } = env
  if (sql !== undefined) return `database ${sql.options.database} of the pool in the configuration file`
  if (typeof connection === 'string') {
    const part = (which: string): string =>
      connection.replace(/^[^?#]*?\/\/(?:[^/?#]*@)?([^/?#]*)\/?([^?#]*).*$/s, which)
    return describe(part('$2') || PGDATABASE, part('$1') || PGHOST)
  }
  const { host, port, database, db } = connection ?? {}
  return describe(database ?? db ?? PGDATABASE, `${String(host ?? PGHOST)}:${String(port ?? PGPORT)}`)
}

const describe = (name: string | undefined, address: string): string =>
  name === undefined ? `the default database on ${address}` : `database ${name} on ${address}`
