import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** @typedef {ReturnType<typeof startChild>} Child */

/**
 * Starts a process. Each measured run gets a new one, so that its memory and event loop belong to that run only.
 * @param {URL} script that calls `answer`
 * @param {AbortSignal} signal
 */
export function startChild (script, signal) {
  signal.throwIfAborted()
  const child = fork(fileURLToPath(script), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  const kill = () => child.kill()
  signal.addEventListener('abort', kill)
  let calls = 0

  return {
    /**
     * @param {string} command
     * @param {unknown} [args]
     * @returns {Promise<any>}
     */
    call (command, args) {
      const id = ++calls
      return new Promise((resolve, reject) => {
        child.on('message', receive)
        child.once('exit', onExit)
        child.send({ id, command, args })

        function receive (/** @type {any} */ message) {
          if (message.id !== id) return
          child.off('message', receive)
          child.off('exit', onExit)
          if (message.error === undefined) resolve(message.result)
          else reject(new Error(message.error))
        }

        function onExit () {
          reject(new Error(`The process of ${script.pathname.split('/').at(-1)} exited during ${command}`))
        }
      })
    },

    async end () {
      signal.removeEventListener('abort', kill)
      if (child.connected) child.disconnect()
      await exited
    }
  }
}

/**
 * Starts a process for one call.
 * @param {URL} script
 * @param {string} command
 * @param {unknown} args
 * @param {AbortSignal} signal
 */
export async function callOnce (script, command, args, signal) {
  const child = startChild(script, signal)
  try {
    return await child.call(command, args)
  } finally {
    await child.end()
  }
}
