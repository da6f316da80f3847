/** How a promise ended, as a value. */
export type Settled<T> = { ok: true, value: T } | { ok: false, error: unknown }

export const settle = async <T>(promise: Promise<T>): Promise<Settled<T>> =>
  await promise.then((value) => ({ ok: true, value }), (error: unknown) => ({ ok: false, error }))
