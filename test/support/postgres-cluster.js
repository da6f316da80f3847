import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { areComplete, copyBinaries, findBinaries } from './postgres-binaries.js'
import { canEnter, findServerUser } from './server-user.js'

/** @typedef {{ version: number, port?: number, settings: Record<string, string | number | boolean> }} ClusterOptions */
/** @typedef {Awaited<ReturnType<typeof createCluster>>} Cluster */

const timeoutSeconds = 60

/** The data of tests need not survive a crash of the machine. */
const testSettings = {
  listen_addresses: '127.0.0.1',
  // No socket: the path of the temporary directory of macOS exceeds the limit of about 100 bytes
  unix_socket_directories: '',
  max_connections: 200,
  fsync: false,
  full_page_writes: false,
  synchronous_commit: false,
  // Tests end before either is of use
  autovacuum: false,
  max_wal_size: '2GB'
}

/** Since PostgreSQL 16. The tests connect thousands of times, and the default takes client and server 3 ms each. */
const scramIterations = 1

/**
 * Creates a data directory in the system's temporary directory, and returns functions that start and stop a server on
 * it. They use pg_ctl, because Windows has no signals, and postgres refuses to be started by an administrator there.
 * @param {ClusterOptions} options
 */
export async function createCluster ({ version, port, settings }) {
  const installed = await findBinaries(version)
  const user = findServerUser()
  const directory = makeDirectory(user)
  const password = randomBytes(16).toString('hex')

  try {
    const binaries = user === undefined && areComplete(installed)
      ? installed
      : copyBinaries(installed, join(directory, 'native'))
    writeOwned('password', password)
    mkdirSync(join(directory, 'data'), { mode: 0o700 })
    own('data')
    await run(binaries.initdb, [
      '--pgdata=data',
      '--username=postgres',
      '--pwfile=password',
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--no-locale',
      '--no-sync',
      ...version >= 16 ? [`--set=scram_iterations=${scramIterations}`] : []
    ])
    return { start, stop, remove }

    /** @returns {Promise<{ url: string, port: number, dataDir: string }>} */
    async function start () {
      for (let attempt = 1; ; attempt++) {
        const candidate = port ?? await findFreePort()
        const ownSettings = format({ ...testSettings, ...settings, port: candidate })
        writeOwned('server.conf', `include 'data/postgresql.conf'\n${ownSettings}`)
        rmSync(join(directory, 'data', 'server.log'), { force: true })
        try {
          // pg_ctl starts the server through a shell: relative paths keep blanks and quotes out of the command line
          await run(binaries.pg_ctl, [
            'start',
            '--wait',
            `--timeout=${timeoutSeconds}`,
            '--pgdata=data',
            '--log=data/server.log',
            '--options=-c config_file=server.conf'
          ])
          port = candidate
          const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
          return { url, port, dataDir: join(directory, 'data') }
        } catch (err) {
          // Another process may have bound the port in the meantime
          if (port !== undefined || attempt === 5 || !readTail('data/server.log').includes('could not bind')) throw err
        }
      }
    }

    /**
     * Does nothing if the server has already stopped.
     * @param {'fast' | 'immediate'} mode
     */
    async function stop (mode) {
      if (!existsSync(join(directory, 'data', 'postmaster.pid'))) return
      const timeout = `--timeout=${timeoutSeconds / 2}`
      await run(binaries.pg_ctl, ['stop', '--wait', timeout, '--pgdata=data', `--mode=${mode}`])
    }
  } catch (err) {
    remove()
    throw err
  }

  function remove () {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }

  /**
   * Writes the program's output to a file: the server would inherit a pipe and keep it open.
   * @param {string} program
   * @param {string[]} args
   */
  async function run (program, args) {
    const output = openSync(join(directory, 'output.log'), 'w', 0o600)
    try {
      const child = spawn(program, args, {
        ...user,
        cwd: directory,
        env: environment(),
        stdio: ['ignore', output, output],
        windowsHide: true
      })
      const [code, signal] = await once(child, 'exit')
      if (code === 0) return
      throw new Error(`${program} ${args[0]} of PostgreSQL ${version} failed with ${signal ?? `exit code ${code}`}\n` +
        readTail('output.log') + readTail('data/server.log'))
    } finally {
      closeSync(output)
    }
  }

  /** @param {string} name */
  function readTail (name) {
    const file = join(directory, name)
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(-30).join('\n') : ''
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  function writeOwned (name, text) {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    own(name)
  }

  /** @param {string} name */
  function own (name) {
    if (user !== undefined) chownSync(join(directory, name), user.uid, user.gid)
  }
}

/**
 * @param {import('./server-user.js').User | undefined} user
 */
function makeDirectory (user) {
  const parent = [tmpdir(), '/tmp', '/var/tmp'].find((candidate) => canEnter(candidate, user))
  if (parent === undefined) {
    throw new Error(`The user that PostgreSQL runs as cannot enter ${tmpdir()}; ` +
      'set TMPDIR to a directory that every user can enter')
  }
  const directory = mkdtempSync(join(parent, 'fastify-backup-postgres-'))
  // The server's user needs to reach its own files in the directory
  if (user !== undefined) chmodSync(directory, 0o711)
  return directory
}

/** Contains no PG variables, which may name another server. `start` reads messages, so they must be in English. */
function environment () {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'))
  return { ...Object.fromEntries(inherited), LC_ALL: 'C' }
}

/** @param {Record<string, string | number | boolean>} settings */
function format (settings) {
  const quote = (/** @type {string} */ text) => `'${text.replace(/['\\]/g, '$&$&')}'`
  return Object.entries(settings).map(([name, value]) => `${name} = ${quote(String(value))}\n`).join('')
}

/** @returns {Promise<number>} */
async function findFreePort () {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
  probe.close()
  await once(probe, 'close')
  return port
}
