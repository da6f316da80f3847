/**
 * In a child process: answers what `startChild` asks. Ends with its parent.
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
