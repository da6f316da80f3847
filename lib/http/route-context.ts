import type {
  FastifyBaseLogger, FastifyInstance, FastifyRequest, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault, onRequestHookHandler
} from 'fastify'
import type { TypeBoxTypeProvider } from './validation.ts'
import type { ResolvedPluginOptions } from '../options/resolve-options.ts'
import type { BackupCalls } from '../service/backup-engine.ts'

/** The encapsulated scope that holds the routes. */
export type Scope = FastifyInstance<RawServerDefault, RawRequestDefaultExpression, RawReplyDefaultExpression, FastifyBaseLogger, TypeBoxTypeProvider>

/** What the routes work with. */
export interface RouteContext {
  /** The calls of the service, bounded to the schemas that this request's caller may name. */
  engineFor: (request: FastifyRequest) => BackupCalls
  options: ResolvedPluginOptions
  /** Lets by only whom `restoreAuth` lets by; everybody when there is none. */
  requireRestoreAuth: onRequestHookHandler
  /** How long a download may stand still, in ms: all the while it holds the file open and its backup in use. */
  stallTimeoutMs: number
}

/**
 * For routes that take as long as the data takes: no limit of the app's on the time of a handler, which would end them with a 503
 * while the run goes on (2 ** 31 - 1 ms is the longest timer; 0 throws), and no @fastify/compress, which would take the length away.
 */
export const longRoute = { handlerTimeout: 2 ** 31 - 1, compress: false as const }

/**
 * The addresses of the collection: with a slash at the end as without, since both are typed. Only one is in the OpenAPI document.
 * A router that ignores trailing slashes would take the second for a duplicate.
 */
export function collectionAddresses ({ initialConfig }: Scope): Array<{ prefixTrailingSlash: 'slash' | 'no-slash', hide: boolean }> {
  const ignoresSlash = initialConfig.ignoreTrailingSlash === true || initialConfig.routerOptions?.ignoreTrailingSlash === true
  return [
    { prefixTrailingSlash: 'no-slash', hide: false },
    ...ignoresSlash ? [] : [{ prefixTrailingSlash: 'slash' as const, hide: true }]
  ]
}

/** Where a backup is found, for the header Location. */
export const locationOf = (scope: Scope, id: string): string => encodeURI(`${scope.prefix}/${id}`)

/** The part of a call's options that says who calls. */
export function callerOf (request: FastifyRequest, options: ResolvedPluginOptions): { actor?: string } {
  const actor = options.actor(request)
  return actor === null ? {} : { actor }
}
