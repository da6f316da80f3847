import type { FastifyInstance } from 'fastify'

const warned = new WeakSet<object>()

/**
 * Warns once for each server if its `requestTimeout` is set, because it ends an import that arrives more slowly.
 * Node.js has one value for all requests of a server, so the import route cannot change it for its requests. (HTTP/2
 * has none.)
 */
export function warnOfRequestTimeout ({ server, log }: Pick<FastifyInstance, 'server' | 'log'>): void {
  // A server of the option serverFactory has five minutes, unless the app sets another value
  const requestTimeout: unknown = Reflect.get(server, 'requestTimeout')
  if (typeof requestTimeout !== 'number' || requestTimeout === 0 || warned.has(server)) return
  warned.add(server)
  log.warn({ requestTimeout }, 'an import fails if its file takes longer to arrive than requestTimeout of the server')
}
