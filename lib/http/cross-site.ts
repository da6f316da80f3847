import type { FastifyRequest } from 'fastify'
import { CrossSite } from '../errors.ts'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

function isSameHost (origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false
  const from = new URL(origin)
  // Read with the origin's scheme, so that its default port is left out of both
  const to = `${from.protocol}//${host}`
  return URL.canParse(to) && new URL(to).host === from.host
}

/**
 * Keeps a page of another site from using an admin's cookies. Browsers say where a request comes from in Sec-Fetch-Site, or, when they
 * are old or the connection is not secure, in Origin; programs send neither.
 * @throws FST_BACKUP_CROSS_SITE
 */
export function refuseCrossSite (request: FastifyRequest): void {
  if (safeMethods.has(request.method)) return
  const site = request.headers['sec-fetch-site']
  const { origin } = request.headers
  if (site === undefined) {
    if (origin !== undefined && !isSameHost(origin, request.host)) throw new CrossSite()
  } else if (site !== 'same-origin' && site !== 'none') {
    throw new CrossSite()
  }
}
