import { OptionInvalid } from '../errors.ts'
import { assertOptions, isPlainObject } from './check-options.ts'
import { type ResolvedHttpOptions, resolveHttpOptions } from './resolve-http-options.ts'
import { type ResolvedOptions, resolveServiceOptions } from './resolve-service-options.ts'

/** All options of the plugin. */
export interface ResolvedPluginOptions extends ResolvedOptions, ResolvedHttpOptions { readonly enabled: true }

/**
 * Validates the options of the plugin and applies the defaults. Does not modify its argument. A disabled plugin needs
 * no `auth`, so its functions are not checked: the plugins that provide them may be disabled as well.
 * @throws FST_BACKUP_OPTION_INVALID, FST_BACKUP_AUTH_REQUIRED
 */
export function resolveOptions (options: unknown): ResolvedPluginOptions | { enabled: false } {
  if (!isPlainObject(options)) throw new OptionInvalid('the options must be an object')
  if (options.enabled !== true) {
    const { auth, restoreAuth, ...others } = options
    assertOptions(others)
    return { enabled: false }
  }
  assertOptions(options)
  return { enabled: true, ...resolveServiceOptions(options), ...resolveHttpOptions(options) }
}
