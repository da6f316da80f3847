import type {
  FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, RawReplyDefaultExpression,
  RawRequestDefaultExpression, RawServerDefault, onRequestHookHandler
} from 'fastify'
import { longestTimerMs } from '../clock.ts'
import type { ExtendRoute } from './extend-route.ts'
import { keepConnection } from './keep-connection.ts'
import type { TypeBoxTypeProvider } from './validation.ts'
import type { StreamLimits } from './event-stream.ts'
import type { ResolvedPluginOptions } from '../options/resolve-options.ts'
import type { BackupCalls } from '../service/backup-engine.ts'

/** The encapsulated scope that contains the routes. */
export type Scope = FastifyInstance<
  RawServerDefault, RawRequestDefaultExpression, RawReplyDefaultExpression, FastifyBaseLogger, TypeBoxTypeProvider
>

/** The dependencies of the routes. */
export interface RouteContext {
  /** The calls of the service, restricted to the schemas that the caller of this request may name. */
  engineFor: (request: FastifyRequest) => BackupCalls
  options: ResolvedPluginOptions
  /** For the options of every route. */
  extend: ExtendRoute
  /** Requires the functions of `restoreAuth` to pass; accepts every request without them. */
  requireRestoreAuth: onRequestHookHandler
  /** Whether `requireRestoreAuth` would accept the request. */
  passesRestoreAuth: (request: FastifyRequest, reply: FastifyReply) => Promise<boolean>
  /**
   * How long a download or an upload may make no progress, in milliseconds. A stalled download keeps the file open
   * and its backup in use.
   */
  stallTimeoutMs: number
  /** Of each event stream. */
  streams: StreamLimits
}

/**
 * Options of routes whose duration depends on the amount of data. The `handlerTimeout` of the app would end them with a
 * 503 while the run continues, so it is overridden by the longest timer (0 throws). The `connectionTimeout` of the app
 * would close the connection, and is suspended. @fastify/compress is disabled, because it removes the Content-Length.
 */
export const longRoute = {
  handlerTimeout: longestTimerMs,
  compress: false as const,
  preHandler: keepConnection
}

/**
 * The addresses of the collection: without and with a trailing slash, since users type both. Only the first is in the
 * OpenAPI document. A router with `ignoreTrailingSlash` rejects the second as a duplicate.
 */
export function collectionAddresses (
  { initialConfig }: Scope
): Array<{ prefixTrailingSlash: 'slash' | 'no-slash', hide: boolean }> {
  const ignoresSlash = initialConfig.ignoreTrailingSlash === true ||
    initialConfig.routerOptions?.ignoreTrailingSlash === true
  return [
    { prefixTrailingSlash: 'no-slash', hide: false },
    ...ignoresSlash ? [] : [{ prefixTrailingSlash: 'slash' as const, hide: true }]
  ]
}

/** The address of a backup, for the Location header. */
export const locationOf = (scope: Scope, id: string): string => encodeURI(`${scope.prefix}/${id}`)

/** The call option that identifies the caller. */
export function callerOf (request: FastifyRequest, options: ResolvedPluginOptions): { actor?: string } {
  const actor = options.actor(request)
  return actor === null ? {} : { actor }
}
