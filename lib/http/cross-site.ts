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
 * Whether the request can only come from a page that knows a token: a page of another site cannot send this header
 * without the permission of a CORS preflight. It can send Basic credentials and cookies, which the browser adds. So a
 * request that also has a cookie is still checked: an auth function may ignore the token, and an app may answer the
 * preflight of any site.
 */
const hasOnlyToken = ({ headers }: FastifyRequest): boolean =>
  headers.cookie === undefined && /^bearer +[^ ]/i.test(headers.authorization ?? '')

/**
 * Prevents cross-site request forgery: a page of another site must not use the cookies of an administrator. Browsers
 * send Sec-Fetch-Site, or only Origin if they are old or the connection is not secure. Other HTTP clients send
 * neither.
 * @param allowedOrigins origins whose pages the app trusts
 * @throws FST_BACKUP_CROSS_SITE
 */
export function refuseCrossSite (request: FastifyRequest, allowedOrigins: ReadonlySet<string>): void {
  if (safeMethods.has(request.method) || hasOnlyToken(request)) return
  const site = request.headers['sec-fetch-site']
  const { origin } = request.headers
  if (origin !== undefined && allowedOrigins.has(origin)) return
  if (site === undefined) {
    if (origin !== undefined && !isSameHost(origin, request.host)) throw new CrossSite()
  } else if (site !== 'same-origin' && site !== 'none') {
    throw new CrossSite()
  }
}
