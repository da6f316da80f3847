import type { BackupServiceOptions } from '../../types/index.ts'

/**
 * Which database a command works on, so that a person notices a wrong one before a restore. Never contains the user or
 * the password.
 */
export function describeDatabase ({ sql, connection }: BackupServiceOptions, env: NodeJS.ProcessEnv): string {
  const { PGHOST = 'localhost', PGPORT = '5432', PGDATABASE } = env
  if (sql !== undefined) return `database ${sql.options.database} of the pool in the configuration file`
  if (typeof connection === 'string') {
    const [, address = '', path = '', query = ''] = connection.split(urlParts)
    const [addressHost = '', addressPort] = address.split(/:(?=\d+$)/)
    const parameters = new URLSearchParams(query)
    // As in libpq, the parameters have precedence
    const host = parameters.get('host') || addressHost.replaceAll(/%2f/gi, '/') || PGHOST
    const port = parameters.get('port') || addressPort
    return describe(parameters.get('dbname') || path || PGDATABASE, port === undefined ? host : `${host}:${port}`)
  }
  const { host, port, database, db } = connection ?? {}
  return describe(database ?? db ?? PGDATABASE, `${String(host ?? PGHOST)}:${String(port ?? PGPORT)}`)
}

/** Host and port, database and parameters of a URL. */
const urlParts = /^[^?#]*?\/\/(?:[^/?#]*@)?([^/?#]*)\/?([^?#]*)\??([^#]*)/s

const describe = (name: string | undefined, address: string): string =>
  name === undefined ? `the default database on ${address}` : `database ${name} on ${address}`
