import { SchemaNotAllowed } from '../errors.ts'
import { kindOf } from '../own-error.ts'
import type { Context } from '../runs/context.ts'

/** Returns `name`. Throws FST_BACKUP_SCHEMA_NOT_ALLOWED, before the caller learns whether the schema exists. */
export function requireAllowed ({ isAllowed }: Pick<Context, 'isAllowed'>, name: string): string {
  if (!isAllowed(name)) throw new SchemaNotAllowed(name)
  return name
}

/**
 * Whether the caller may see backups of this schema. If the application's function throws, the error is logged and
 * the result is false. A response that differs from that for a missing schema would disclose that the schema exists.
 */
export function isVisible ({ isAllowed, logger }: Pick<Context, 'isAllowed' | 'logger'>, schema: string): boolean {
  try {
    return isAllowed(schema)
  } catch (error) {
    const details = { schema, reason: kindOf(error) }
    logger.error(details, 'the function in option schemas threw; the schema counts as not allowed')
    return false
  }
}
