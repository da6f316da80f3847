import type { FastifyRequest } from 'fastify'
import { CrossSite } from '../errors.ts'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

function isSameHost (origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false
  const from = new URL(origin)
  // Parsed with the scheme of the origin, so that the default port is removed from both
  const to = `${from.protocol}//${host}`
  return URL.canParse(to) && new URL(to).host === from.host
}

/**
 * Prevents cross-site request forgery: a page of another site must not use the cookies of an administrator. Browsers
 * send Sec-Fetch-Site, or only Origin if they are old or the connection is not secure. Other HTTP clients send
 * neither.
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
