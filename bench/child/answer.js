/**
 * Runs in a child process: answers the calls that its parent makes through `startChild`. The process exits when its
 * parent disconnects or exits.
 * @param {Record<string, (args: any) => Promise<unknown>>} commands
 */
export function answer (commands) {
  process.on('message', async (/** @type {any} */ { id, command, args }) => {
    try {
      process.send?.({ id, result: await commands[command]?.(args) })
    } catch (err) {
      process.send?.({ id, error: err instanceof Error ? err.stack : String(err) })
    }
  })
  process.once('disconnect', () => process.exit())
}
