import { SchemaNotAllowed } from '../errors.ts'
import { kindOf } from '../own-error.ts'
import type { Context } from '../runs/context.ts'

/** The schema that a call names; a schema that the caller may not use is refused before the caller learns whether it exists. */
export function requireAllowed ({ isAllowed }: Pick<Context, 'isAllowed'>, name: string): string {
  if (!isAllowed(name)) throw new SchemaNotAllowed(name)
  return name
}

/**
 * Whether the caller may see backups of this schema. When the application's function throws, the error is logged and the
 * answer is no: an answer that differs from the one for a schema that does not exist would reveal that it exists.
 */
export function isVisible ({ isAllowed, logger }: Pick<Context, 'isAllowed' | 'logger'>, schema: string): boolean {
  try {
    return isAllowed(schema)
  } catch (error) {
    logger.error({ schema, reason: kindOf(error) }, 'the function in option schemas threw; the schema counts as not allowed')
    return false
  }
}
