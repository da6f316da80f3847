/**
 * @param {() => Promise<unknown>} work
 * @returns {Promise<number>} seconds
 */
export async function time (work) {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / 1000
}
