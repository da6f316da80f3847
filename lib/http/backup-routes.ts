import fastifyAuth from '@fastify/auth'
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import type { FastifyInstance, FastifySerializerCompiler, onRequestHookHandler } from 'fastify'
import { RouteNotFound } from '../errors.ts'
import type { ResolvedPluginOptions } from '../options/resolve-options.ts'
import type { BackupEngine } from '../service/backup-engine.ts'
import { requireAll, wouldPass } from './authentication.ts'
import { refuseCrossSite } from './cross-site.ts'
import { sendError, serializeError } from './error-response.ts'
import { closeRefusedUpload } from './close-refused-upload.ts'
import { acceptJson } from './accept-json.ts'
import { routeExtension } from './extend-route.ts'
import { describeRoutes } from './openapi/describe-route.ts'
import { pageRoutes } from './page/page-routes.ts'
import type { RouteContext } from './route-context.ts'
import { createRoute } from './routes/create.ts'
import { downloadRoute } from './routes/download.ts'
import { eventsRoute } from './routes/events.ts'
import { getRoute } from './routes/get.ts'
import { importRoute } from './routes/import.ts'
import { listRoute } from './routes/list.ts'
import { manifestRoute } from './routes/manifest.ts'
import { planRoute } from './routes/plan.ts'
import { removeRoute } from './routes/remove.ts'
import { restoreRoute } from './routes/restore.ts'
import { statusRoute } from './routes/status.ts'
import { updateRoute } from './routes/update.ts'
import { verifyRoute } from './routes/verify.ts'
import type { StreamLimits } from './event-stream.ts'
import { warnOfRequestTimeout } from './warn-of-request-timeout.ts'
import { compileValidator, describeInvalid, type TypeBoxTypeProvider } from './validation.ts'

const routes = [
  createRoute, listRoute, statusRoute, eventsRoute, getRoute, manifestRoute, updateRoute, downloadRoute, verifyRoute,
  planRoute,
  restoreRoute, importRoute, removeRoute
]

/** See StreamLimits. */
const streamLimits: StreamLimits = { heartbeatMs: 15_000, lifetimeMs: 3_600_000, bufferBytes: 1_048_576 }

const compileSerializer = SerializerSelector()({}, {})

/**
 * Serializers by the JSON of their schema. Compiling all of them takes about 70 ms, and an app may register the plugin
 * for each of its tenants. The schema itself is no key: a hook of the app may change it.
 */
const serializers = new Map<string, (body: unknown) => string>()

/** Error bodies are not serialized by schema: an auth function that replies itself may send any body. */
const compileUnlessError: FastifySerializerCompiler<unknown> = (route) => {
  if (route.httpStatus === 'default' || Number(route.httpStatus) >= 400) return serializeError
  const key = JSON.stringify(route.schema)
  const serialize = serializers.get(key) ?? compileSerializer({ httpStatus: 'default', ...route })
  serializers.set(key, serialize)
  return serialize
}

/**
 * Overrides the app's compilers, error handler and body parsers in this scope. The app may have changed them, for
 * schemas of another library for example, and keeps its own.
 */
function isolateScope (scope: FastifyInstance): void {
  scope.setValidatorCompiler(compileValidator)
  scope.setSchemaErrorFormatter(describeInvalid)
  scope.setSerializerCompiler(compileUnlessError)
  scope.setErrorHandler(sendError)
  acceptJson(scope)
}

/**
 * Authenticates first, also for paths that do not exist: a 404 without authentication would disclose which paths exist.
 */
async function protectScope (scope: FastifyInstance, { auth, allowedOrigins }: ResolvedPluginOptions): Promise<void> {
  // In this scope, so that it does not matter whether the app registers it too
  await scope.register(fastifyAuth)
  scope.addHook('onRequest', async (request, reply) => { reply.header('cache-control', 'no-store') })
  if (auth !== false) scope.addHook('onRequest', requireAll(scope, auth))
  scope.addHook('onRequest', async (request) => refuseCrossSite(request, allowedOrigins))
  scope.addHook('onSend', closeRefusedUpload)
  scope.setNotFoundHandler(async () => { throw new RouteNotFound() })
}

export interface BackupRoutesOptions {
  engine: BackupEngine
  options: ResolvedPluginOptions
  /** See RouteContext. @defaultValue 60000 */
  stallTimeoutMs?: number
  /** @defaultValue a heartbeat every 15 s, an hour, 1 MiB */
  streams?: StreamLimits
}

/** Adds the routes to an encapsulated scope. Register it with the base path as its prefix. */
export async function backupRoutes (
  scope: FastifyInstance, { engine, options, stallTimeoutMs = 60_000, streams = streamLimits }: BackupRoutesOptions
): Promise<void> {
  isolateScope(scope)
  await protectScope(scope, options)
  describeRoutes(scope, options.openapi.security)
  warnOfRequestTimeout(scope)

  const extend = routeExtension(options.routeOptions)
  const requireRestoreAuth: onRequestHookHandler = options.restoreAuth.length > 0
    ? requireAll(scope, options.restoreAuth)
    : (request, reply, done) => done()
  const context: RouteContext = {
    engineFor: (request) => engine.forCaller((schema) => options.isSchemaAllowed(schema, request)),
    options,
    extend,
    stallTimeoutMs,
    streams,
    requireRestoreAuth,
    passesRestoreAuth: (request, reply) => wouldPass(scope, requireRestoreAuth, request, reply)
  }
  const typed = scope.withTypeProvider<TypeBoxTypeProvider>()
  for (const route of routes) route(typed, context)
  if (options.ui?.isPublic === false) pageRoutes(scope, extend, options.ui)
}

/** Adds the admin page if it is public, to a scope of its own without authentication. The prefix is the base path. */
export async function publicPageRoutes (
  scope: FastifyInstance, { options: { ui, routeOptions } }: Pick<BackupRoutesOptions, 'options'>
): Promise<void> {
  isolateScope(scope)
  if (ui?.isPublic === true) pageRoutes(scope, routeExtension(routeOptions), ui)
}
