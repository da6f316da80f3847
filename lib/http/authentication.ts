import type { FastifyAuthFunction } from '@fastify/auth'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { AuthFunctions } from '../../types/index.ts'
import { NotAuthorized, OptionInvalid } from '../errors.ts'

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

/**
 * Calls an auth function. The returned promise settles once, by the first of the two: done, or the promise that the
 * function returns. As with @fastify/auth, returning does not mean that the function has finished: it may call done
 * later, and its `length` does not show whether it will (`(request, ...rest) => verify(request, ...rest)`). A
 * function that does not declare done and returns no promise is an error, because waiting for it might never end.
 */
function callAuthFunction (
  authenticate: FastifyAuthFunction, scope: FastifyInstance, request: FastifyRequest, reply: FastifyReply
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (error?: unknown): void => error === undefined || error === null ? resolve(undefined) : reject(error)
    const result: unknown = Reflect.apply(authenticate, scope, [request, reply, done])
    if (isPromise(result)) {
      // Not resolve(result): it would follow `result` alone, and an earlier done(error) would be lost
      result.then(resolve, reject)
    } else if (result === false) {
      resolve(false)
    } else if (authenticate.length < 3) {
      reject(new OptionInvalid('an auth function neither returned a promise nor called done; make it async, or write ' +
        'it as (request, reply, done)'))
    }
  })
}

/**
 * The error that the caller receives. An error with a `statusCode` was created to be shown. The message of any other
 * error is shown only if it has no `code`: an error with a code may come from a database and quote rows.
 */
function toPublicError (reason: unknown, reply: FastifyReply): Error {
  const isError = reason instanceof Error
  if (isError && 'statusCode' in reason && typeof reason.statusCode === 'number') return reason
  const failure = new NotAuthorized(isError && !('code' in reason) ? reason.message : 'Not authorized')
  // @fastify/auth lets a function choose the status with reply.code()
  return reply.statusCode >= 400 ? Object.assign(failure, { statusCode: reply.statusCode }) : failure
}

/**
 * Wraps an auth function of the application, so that a failed authentication never passes. @fastify/auth alone
 * accepts
 * - a function that replies and then resolves (`catch (err) { reply.send(err) }`, as READMEs show it; with an async
 *   onSend hook, `reply.sent` is still false at that time)
 * - a function that rejects with undefined
 * - a function that resolves to false
 * - a function that both calls done and returns a promise, which counts twice (fastify/fastify-auth#255)
 */
export function wrapAuthFunction (authenticate: FastifyAuthFunction): FastifyAuthFunction {
  return async function wrapped (request, reply) {
    const send = reply.send
    let replied = false
    reply.send = function (payload) {
      replied = true
      return send.call(this, payload instanceof Error ? toPublicError(payload, this) : payload)
    }

    let failure: Error | undefined
    try {
      const result = await callAuthFunction(authenticate, this, request, reply)
      if (result === false) failure = toPublicError(undefined, reply)
    } catch (reason) {
      failure = toPublicError(reason, reply)
    }

    // The function has sent a response. Never settle, so that neither another function nor the handler runs.
    // (The response of a hijacked reply may not have started; Fastify itself stops in that case)
    if (replied || reply.raw.headersSent) await new Promise(() => {})
    reply.send = send
    if (failure !== undefined) throw failure
  }
}

/**
 * Creates a hook that requires all of the functions to pass, and of each inner list at least one. Does not change the
 * list.
 */
export function requireAll (scope: FastifyInstance, functions: AuthFunctions): onRequestHookHandler {
  const wrapped = functions.map((entry) => Array.isArray(entry) ? entry.map(wrapAuthFunction) : wrapAuthFunction(entry))
  return scope.auth(wrapped, { relation: 'and' })
}

/** The methods of a reply, and of Node's response below it, that end it. */
const ending = new Set<string | symbol>(['send', 'redirect', 'callNotFound', 'hijack', 'write', 'writeHead', 'end'])

/** Those that change it, with those of @fastify/cookie. */
const changing = new Set<string | symbol>([
  'code', 'status', 'header', 'headers', 'removeHeader', 'type', 'trailer', 'removeTrailer', 'writeEarlyHints',
  'serializer', 'setCookie', 'cookie', 'clearCookie', 'setHeader', 'setHeaders', 'appendHeader', 'flushHeaders',
  'destroy'
])

/**
 * Whether the hook would let the caller pass. It gets a reply that changes and sends nothing, because a function may
 * reply by itself.
 * @param answerMs how long to wait for a function that neither passes nor refuses, in milliseconds
 */
export async function wouldPass (
  scope: FastifyInstance, hook: onRequestHookHandler, request: FastifyRequest, reply: FastifyReply, answerMs = 5000
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const passes = await new Promise<boolean>((resolve) => {
    const refuse = (): void => { resolve(false) }
    timer = setTimeout(refuse, answerMs)
    Reflect.apply(hook, scope, [request, silence(reply, refuse), (error?: Error | null) => { resolve(!error) }])
  })
  clearTimeout(timer)
  return passes
}

/**
 * A reply or response that changes and sends nothing. Decorators of the app, such as reply.forbidden(), see the silent
 * one as `this`. Calls `onEnd` when it would be sent.
 */
function silence<T extends object> (real: T, onEnd: () => void): T {
  const replaced = new Map<string | symbol, unknown>()
  const silent: T = new Proxy(real, {
    get (target, name) {
      if (replaced.has(name)) return replaced.get(name)
      const value: unknown = Reflect.get(target, name)
      if (name === 'raw') return silence(Object(value), onEnd)
      // A reply is thenable, and waiting for this one would not end
      if (name === 'then') return undefined
      if (typeof value !== 'function') return value
      return function silenced (...values: unknown[]): unknown {
        if (ending.has(name)) onEnd()
        return ending.has(name) || changing.has(name) ? silent : Reflect.apply(value, silent, values)
      }
    },
    set (target, name, value: unknown) {
      replaced.set(name, value)
      return true
    }
  })
  return silent
}
