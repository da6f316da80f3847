import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import fresh from 'fresh'
import Negotiator from 'negotiator'
import type { ResolvedUi } from '../../options/resolve-ui.ts'
import type { ExtendRoute } from '../extend-route.ts'
import { type Asset, createAsset, loadPage } from './load-assets.ts'
import { renderAccent, renderShell } from './render-shell.ts'

/**
 * Scripts and styles of this service only, no other host, no frames. `trusted-types` lets only lit-html, which escapes
 * by construction, write markup (Content Security Policy Level 3; Trusted Types).
 */
const policy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  "require-trusted-types-for 'script'", 'trusted-types lit-html'
].join('; ')

const headers = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin'
}

/** Keeps the page out of OpenAPI documents (@fastify/swagger). */
const hidden: FastifySchema & { hide: true } = { hide: true }

/** Adds the admin page at `/ui/` to a scope whose prefix is the base path. */
export function pageRoutes (scope: FastifyInstance, extend: ExtendRoute, ui: ResolvedUi): void {
  const page = loadPage()
  const shell = createAsset('text/html; charset=utf-8', Buffer.from(renderShell(page, ui)))
  const own = new Map([
    ['accent.css', createAsset('text/css; charset=utf-8', Buffer.from(renderAccent(ui.accent)))],
    ...ui.logo === null ? [] : [['logo', createAsset(ui.logo.contentType, ui.logo.bytes)] as const]
  ])
  const options = extend({ schema: hidden, compress: false as const })
  scope.register(async (pageScope) => {
    pageScope.get('/', { ...options, prefixTrailingSlash: 'both' }, (request, reply) => {
      // Addresses in the page are relative to /ui/. So is this one, because a proxy may have changed the prefix
      if (!/^[^?]*\/(?:\?|$)/.test(request.url)) return reply.redirect('ui/', 308)
      return send(request, reply, shell, ui)
    })
    for (const [name, asset] of [...page.assets, ...own]) {
      pageScope.get(`/${name}`, options, (request, reply) => send(request, reply, asset, ui))
    }
  }, { prefix: '/ui' })
}

function send (
  { headers: given }: FastifyRequest, reply: FastifyReply, { etag, contentType, encodings, isImmutable }: Asset,
  { isPublic }: ResolvedUi
): FastifyReply {
  const scope = isPublic ? 'public' : 'private'
  const kept = isImmutable ? 'max-age=31536000, immutable' : 'no-cache'
  // Another plugin may have set it, as @fastify/cors does
  const vary = [reply.getHeader('vary') ?? [], 'Accept-Encoding'].flat().join(', ')
  reply.headers({
    ...headers,
    vary,
    etag,
    'cache-control': `${scope}, ${kept}`
  })
  if (fresh(given, { etag })) return reply.code(304).send()
  const accepted = new Negotiator({ headers: given }).encodings(Object.keys(encodings))
  const encoding = (['br', 'gzip'] as const).find((name) => accepted.includes(name))
  if (encoding !== undefined) reply.header('content-encoding', encoding)
  return reply.type(contentType).send(encodings[encoding ?? 'identity'])
}
