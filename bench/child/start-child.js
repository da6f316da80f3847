import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** @typedef {ReturnType<typeof startChild>} Child */

/**
 * A process of its own for each measured run: memory and event loop are that run's alone.
 * @param {URL} script that calls `answer`
 * @param {AbortSignal} signal
 */
export function startChild (script, signal) {
  signal.throwIfAborted()
  const child = fork(fileURLToPath(script), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  const kill = () => child.kill()
  signal.addEventListener('abort', kill)
  let requests = 0

  return {
    /**
     * @param {string} command
     * @param {unknown} [args]
     * @returns {Promise<any>}
     */
    ask (command, args) {
      const id = ++requests
      return new Promise((resolve, reject) => {
        child.on('message', receive)
        child.once('exit', gone)
        child.send({ id, command, args })

        function receive (/** @type {any} */ message) {
          if (message.id !== id) return
          child.off('message', receive)
          child.off('exit', gone)
          if (message.error === undefined) resolve(message.result)
          else reject(new Error(message.error))
        }

        function gone () {
          reject(new Error(`The process of ${script.pathname.split('/').at(-1)} has ended during ${command}`))
        }
      })
    },

    async end () {
      signal.removeEventListener('abort', kill)
      if (child.connected) child.disconnect()
      await ended
    }
  }
}

/**
 * One question to a process that lives for it only.
 * @param {URL} script
 * @param {string} command
 * @param {unknown} args
 * @param {AbortSignal} signal
 */
export async function askOnce (script, command, args, signal) {
  const child = startChild(script, signal)
  try {
    return await child.ask(command, args)
  } finally {
    await child.end()
  }
}
