import type { FastifyRequest, RegisterOptions } from 'fastify'
import type { AuthFunctions, BackupOptions, OpenapiOptions, RouteOptions } from '../../types/index.ts'
import { AuthRequired } from '../errors.ts'
import { resolveActor } from './actor.ts'
import { type ResolvedUi, resolveUi } from './resolve-ui.ts'

/** The options of the routes, with their defaults. */
export interface ResolvedHttpOptions {
  /** With a leading slash and without a trailing one. */
  readonly basePath: string
  readonly auth: AuthFunctions | false
  /** Empty when a restore needs no further authentication. */
  readonly restoreAuth: AuthFunctions
  /** What the app adds to every route. */
  readonly routeOptions: RouteOptions
  /** Other origins whose pages may write. */
  readonly allowedOrigins: ReadonlySet<string>
  /** The options of Fastify for the scope of the routes. */
  readonly scopeOptions: RegisterOptions
  /** The name of the caller, or null. Throws if the application's function returns no name. */
  readonly actor: (request: FastifyRequest) => string | null
  readonly openapi: OpenapiOptions
  /** Null without the admin page. */
  readonly ui: ResolvedUi | null
}

/** Copies the list and its inner lists, because @fastify/auth modifies its argument. */
function copyFunctions (functions: AuthFunctions): AuthFunctions {
  return functions.map((entry) => Array.isArray(entry) ? [...entry] : entry)
}

function resolveAuth (
  { auth, restoreAuth = [], allowRestore = false }: BackupOptions
): Pick<ResolvedHttpOptions, 'auth' | 'restoreAuth'> {
  if (auth === undefined || (auth !== false && auth.length === 0)) {
    throw new AuthRequired("option 'auth' is required: pass the @fastify/auth functions that must all pass, or false " +
      'when something else protects the routes')
  }
  if (auth === false && allowRestore && restoreAuth.length === 0) {
    throw new AuthRequired("option 'restoreAuth' is required when auth is false and allowRestore is true: a restore " +
      'is always authenticated')
  }
  return { auth: auth && copyFunctions(auth), restoreAuth: copyFunctions(restoreAuth) }
}

/** @throws FST_BACKUP_AUTH_REQUIRED, FST_BACKUP_OPTION_INVALID */
export function resolveHttpOptions (options: BackupOptions): ResolvedHttpOptions {
  const { logLevel, logSerializers } = options
  const basePath = (options.basePath ?? '/admin/backup').replace(/\/$/, '')
  return {
    basePath,
    routeOptions: { ...options.routeOptions },
    allowedOrigins: new Set(options.allowedOrigins),
    scopeOptions: {
      prefix: basePath, ...logLevel !== undefined && { logLevel }, ...logSerializers !== undefined && { logSerializers }
    },
    ...resolveAuth(options),
    actor: resolveActor(options.actor),
    openapi: structuredClone(options.openapi ?? {}),
    ui: resolveUi(options.ui)
  }
}
