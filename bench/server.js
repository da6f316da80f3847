import postgres from 'postgres'
import { startPostgres } from '../test/support/embedded-postgres.js'
import { versions } from '../test/support/postgres-binaries.js'
/** @import { BenchOptions } from './options.js' */
/** @import { PgPrograms } from './pg-programs.js' */

/**
 * The tests turn fsync, full-page writes and synchronous commit off; the benchmark needs them, as in production.
 * Checkpoints and autovacuum could slow one of the compared programs and not the other.
 */
const settings = {
  fsync: true,
  full_page_writes: true,
  synchronous_commit: true,
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  autovacuum: false
}

/**
 * @param {BenchOptions} options
 * @param {PgPrograms | undefined} programs
 * @returns {Promise<{ url: string, version: string, major: number, stop: () => Promise<void> }>}
 */
export async function openServer (options, programs) {
  const server = options.url === undefined
    ? await startPostgres({ version: options.version ?? newestSupported(programs), settings })
    : { url: options.url, stop: async () => {} }
  const sql = postgres(server.url, { max: 1, onnotice () {} })
  try {
    const [found] = await sql`SELECT current_setting('server_version') AS version`
    return { url: server.url, version: found?.version, major: Number.parseInt(found?.version), stop: server.stop }
  } catch (err) {
    await server.stop()
    throw err
  } finally {
    await sql.end()
  }
}

/** @param {PgPrograms | undefined} programs */
function newestSupported (programs) {
  const supported = versions.filter((version) => programs === undefined || version <= programs.major)
  return Math.max(...supported.length > 0 ? supported : versions)
}
