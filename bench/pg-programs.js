import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'

/**
 * pg_dump and pg_restore on PATH.
 * @typedef {object} PgPrograms
 * @property {string} version that pg_dump prints
 * @property {number} major
 */

/** @returns {Promise<PgPrograms | undefined>} undefined unless both exist */
export async function findPgPrograms () {
  try {
    const [version] = await Promise.all(['pg_dump', 'pg_restore'].map(readVersion))
    return version === undefined ? undefined : { version, major: Number.parseInt(version) }
  } catch {
    return undefined
  }
}

/** @param {string} program */
async function readVersion (program) {
  const { stdout } = await promisify(execFile)(program, ['--version'])
  return /\d+(?:\.\d+)*/.exec(stdout)?.[0]
}

/**
 * Runs pg_dump or pg_restore over TCP, as all measured programs connect.
 * @param {'pg_dump' | 'pg_restore'} program
 * @param {string[]} args
 * @param {{ url: string, signal: AbortSignal }} options
 */
export async function runPgProgram (program, args, { url, signal }) {
  const env = { ...process.env, ...connectionEnvironment(url) }
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'inherit'], signal })
  const [code, killedBy] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${program} failed with ${killedBy ?? `exit code ${code}`}`)
}

/**
 * Environment variables instead of arguments: every user of the machine can read the arguments of a process.
 * @param {string} url
 */
function connectionEnvironment (url) {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url)
  const sslmode = searchParams.get('sslmode')
  return {
    PGHOST: hostname,
    PGPORT: port || '5432',
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    ...sslmode !== null && { PGSSLMODE: sslmode }
  }
}
