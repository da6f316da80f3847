import { OptionInvalid } from '../errors.ts'
import { assertOptions, isPlainObject } from './check-options.ts'
import { type ResolvedHttpOptions, resolveHttpOptions } from './resolve-http-options.ts'
import { type ResolvedOptions, resolveServiceOptions } from './resolve-service-options.ts'

/** All options of the plugin. */
export interface ResolvedPluginOptions extends ResolvedOptions, ResolvedHttpOptions {
  readonly enabled: true
  readonly routes: true
}

/** The options of a plugin without routes. */
export interface ResolvedWithoutRoutes extends ResolvedOptions {
  readonly enabled: true
  readonly routes: false
}

/**
 * Validates the options of the plugin and applies the defaults. Does not modify its argument. A disabled plugin, and
 * one without routes, need no `auth`, so its functions are not checked: the plugins that provide them may be disabled
 * as well.
 * @throws FST_BACKUP_OPTION_INVALID, FST_BACKUP_AUTH_REQUIRED
 */
export function resolveOptions (given: unknown): ResolvedPluginOptions | ResolvedWithoutRoutes | { enabled: false } {
  if (!isPlainObject(given)) throw new OptionInvalid('the options must be an object')
  const { auth, restoreAuth, ...others } = withoutPrefix(given)
  if (others.enabled !== true || others.routes === false) {
    assertOptions(others)
    return others.enabled === true
      ? { enabled: true, routes: false, ...resolveServiceOptions(others) }
      : { enabled: false }
  }
  const options = { ...others, auth, restoreAuth }
  assertOptions(options)
  return { enabled: true, routes: true, ...resolveServiceOptions(options), ...resolveHttpOptions(options) }
}

/**
 * `prefix` is an option of fastify.register(), which has no effect on a plugin that is not encapsulated
 * (fastify-plugin). @fastify/autoload adds one that changes nothing.
 */
function withoutPrefix ({ prefix, ...options }: Record<string, unknown>): Record<string, unknown> {
  if (prefix === undefined || prefix === '' || prefix === '/') return options
  throw new OptionInvalid("there is no option 'prefix'; use basePath, and with @fastify/autoload also " +
    "export prefixOverride = ''")
}

/**
 * Like resolveOptions(), for a service without routes. So that a script can use the options of the application, the
 * options of the routes and `enabled` have no effect, and those with functions of the application are not checked.
 * @throws FST_BACKUP_OPTION_INVALID
 */
export function resolveStandaloneOptions (options: unknown): ResolvedOptions {
  if (!isPlainObject(options)) throw new OptionInvalid('the options must be an object')
  const { auth, restoreAuth, actor, ...others } = options
  assertOptions(others)
  return resolveServiceOptions(others)
}
