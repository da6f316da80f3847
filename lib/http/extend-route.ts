import type { RouteShorthandOptions } from 'fastify'
import type { ResolvedHttpOptions } from '../options/resolve-http-options.ts'

const hookNames = [
  'onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse', 'onError',
  'onTimeout', 'onRequestAbort'
] as const satisfies Array<keyof RouteShorthandOptions>

/** Adds the option `routeOptions` to the options of a route. */
export type ExtendRoute = <Own extends object>(own: Own) => Own

/**
 * The route's own options take precedence over those of the app, and its own hooks run first. Hooks of the scope, such
 * as the authentication, run before both. Each route gets arrays and a config of its own, since onRoute hooks of other
 * plugins change them.
 */
export function routeExtension (given: ResolvedHttpOptions['routeOptions']): ExtendRoute {
  return (own) => {
    const hooks = hookNames.flatMap((name) => {
      const functions = [Reflect.get(own, name) ?? [], given[name] ?? []].flat()
      return functions.length > 0 ? [[name, functions]] : []
    })
    return { ...given, config: { ...given.config }, ...own, ...Object.fromEntries(hooks) }
  }
}
