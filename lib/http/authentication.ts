import type { FastifyAuthFunction } from '@fastify/auth'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { AuthFunctions } from '../../types/index.ts'
import { NotAuthorized, OptionInvalid } from '../errors.ts'

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

/**
 * Settles once, by whichever comes first: done, or the promise. As with @fastify/auth, that a function returned means nothing: it may
 * call done later, and its length does not tell whether (`(request, ...rest) => verify(request, ...rest)`). One that does not even name done is
 * refused rather than waited for.
 */
function verdictOf (authenticate: FastifyAuthFunction, scope: FastifyInstance, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (error?: unknown): void => error === undefined || error === null ? resolve(undefined) : reject(error)
    const result: unknown = Reflect.apply(authenticate, scope, [request, reply, done])
    if (isPromise(result)) {
      // Not resolve(result): that would bind the promise, and a done(error) that comes first would be lost
      result.then(resolve, reject)
    } else if (result === false) {
      resolve(false)
    } else if (authenticate.length < 3) {
      reject(new OptionInvalid('an auth function neither returned a promise nor called done; make it async, or write it as (request, reply, done)'))
    }
  })
}

/** What the caller is told. An error that names its status was made to be seen; of others, one with a code may come from a database. */
function refusalOf (reason: unknown, reply: FastifyReply): Error {
  const isError = reason instanceof Error
  if (isError && 'statusCode' in reason && typeof reason.statusCode === 'number') return reason
  const refusal = new NotAuthorized(isError && !('code' in reason) ? reason.message : 'Not authorized')
  // @fastify/auth lets a function choose the status with reply.code()
  return reply.statusCode >= 400 ? Object.assign(refusal, { statusCode: reply.statusCode }) : refusal
}

/**
 * A function of the caller's, made so that it can't be misread as a pass. @fastify/auth by itself lets go by: one that replies
 * and then resolves (`catch (err) { reply.send(err) }`, as READMEs show it; with an async onSend hook not even `reply.sent`
 * is true by then), one that rejects with undefined, one that resolves to false, and one that calls done and returns a promise,
 * which counts twice (fastify/fastify-auth#255).
 */
export function guard (authenticate: FastifyAuthFunction): FastifyAuthFunction {
  return async function guarded (request, reply) {
    const send = reply.send
    let replied = false
    reply.send = function (payload) {
      replied = true
      return send.call(this, payload instanceof Error ? refusalOf(payload, this) : payload)
    }

    let refusal: Error | undefined
    try {
      if (await verdictOf(authenticate, this, request, reply) === false) refusal = refusalOf(undefined, reply)
    } catch (reason) {
      refusal = refusalOf(reason, reply)
    }

    // The answer is on its way. Neither another function nor the handler may follow, so this never settles.
    // (A hijacked reply may not have begun; Fastify itself stops there)
    if (replied || reply.raw.headersSent) await new Promise(() => {})
    reply.send = send
    if (refusal !== undefined) throw refusal
  }
}

/** A hook that lets a request go on only when all of the functions pass; of an inner list, one has to. The list is left as it was. */
export function requireAll (scope: FastifyInstance, functions: AuthFunctions): onRequestHookHandler {
  const guarded = functions.map((entry) => Array.isArray(entry) ? entry.map(guard) : guard(entry))
  return scope.auth(guarded, { relation: 'and' })
}
