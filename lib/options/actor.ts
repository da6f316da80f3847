import type { FastifyRequest } from 'fastify'
import { OptionInvalid } from '../errors.ts'

const maxLength = 200

/** Fits for the log: PostgreSQL's text has no NUL, and a line break would forge a line of somebody's report. */
function bounded (name: string): string {
  return [...name.replace(/\p{Cc}/gu, ' ')].slice(0, maxLength).join('')
}

/** Id, sub or email of `request.user`, whichever comes first; null when nobody of a name calls. */
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
 * Who calls, for `createdBy` and `restoredBy`: at most 200 characters.
 * A function of the caller's that throws or returns no name fails the request with FST_BACKUP_OPTION_INVALID before anything
 * has begun, since a log that names nobody, or somebody else, is worse than a run that was refused aloud.
 */
export function resolveActor (actor: ((request: FastifyRequest) => unknown) | undefined): (request: FastifyRequest) => string | null {
  if (actor === undefined) return userOf
  return (request) => {
    let name: unknown
    try {
      name = actor(request)
    } catch (cause) {
      throw Object.assign(new OptionInvalid("the function of option 'actor' threw, so nobody could be recorded and nothing was done"), { cause })
    }
    if (typeof name !== 'string' || name === '') {
      throw new OptionInvalid("the function of option 'actor' must return a non-empty string; nothing was done")
    }
    return bounded(name)
  }
}
