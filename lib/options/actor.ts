import type { FastifyRequest } from 'fastify'
import { OptionInvalid } from '../errors.ts'

const maxLength = 200

/**
 * Makes a name safe for the log: PostgreSQL's type text cannot contain NUL, and a line break could forge a line in a
 * report.
 */
function bounded (name: string): string {
  return [...name.replace(/\p{Cc}/gu, ' ')].slice(0, maxLength).join('')
}

/** The first of id, sub and email that `request.user` has, or null. */
function userOf (request: FastifyRequest): string | null {
  const user: unknown = Reflect.get(request, 'user')
  if (typeof user !== 'object' || user === null) return null
  for (const key of ['id', 'sub', 'email']) {
    const value: unknown = Reflect.get(user, key)
    if (typeof value === 'number' || typeof value === 'bigint') return String(value)
    if (typeof value === 'string' && value !== '') return bounded(value)
  }
  return null
}

/**
 * Returns the function that determines the caller's name for `createdBy` and `restoredBy`: at most 200 characters, or
 * null. If the application's function throws or returns no name, the request fails with FST_BACKUP_OPTION_INVALID
 * before the run starts, since a missing or wrong name in the log is worse than a refused run.
 */
export function resolveActor (
  actor: ((request: FastifyRequest) => unknown) | undefined
): (request: FastifyRequest) => string | null {
  if (actor === undefined) return userOf
  return (request) => {
    let name: unknown
    try {
      name = actor(request)
    } catch (cause) {
      const message = "the function of option 'actor' threw, so the caller is unknown and nothing was done"
      throw Object.assign(new OptionInvalid(message), { cause })
    }
    if (typeof name !== 'string' || name === '') {
      throw new OptionInvalid("the function of option 'actor' must return a non-empty string; nothing was done")
    }
    return bounded(name)
  }
}
