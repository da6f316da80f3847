import fastifyAuth from '@fastify/auth'
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import type { FastifyInstance, FastifySerializerCompiler } from 'fastify'
import { RouteNotFound } from '../errors.ts'
import type { ResolvedPluginOptions } from '../options/resolve-options.ts'
import type { BackupEngine } from '../service/backup-engine.ts'
import { requireAll } from './authentication.ts'
import { refuseCrossSite } from './cross-site.ts'
import { answerError } from './error-response.ts'
import { hangUpOnSender } from './close-refused-upload.ts'
import { acceptJson } from './accept-json.ts'
import type { RouteContext } from './route-context.ts'
import { createRoute } from './routes/create.ts'
import { downloadRoute } from './routes/download.ts'
import { getRoute } from './routes/get.ts'
import { importRoute } from './routes/import.ts'
import { listRoute } from './routes/list.ts'
import { planRoute } from './routes/plan.ts'
import { removeRoute } from './routes/remove.ts'
import { restoreRoute } from './routes/restore.ts'
import { statusRoute } from './routes/status.ts'
import { updateRoute } from './routes/update.ts'
import { verifyRoute } from './routes/verify.ts'
import { compileValidator, describeInvalid, type TypeBoxTypeProvider } from './validation.ts'

const routes = [createRoute, listRoute, statusRoute, getRoute, updateRoute, downloadRoute, verifyRoute, planRoute, restoreRoute, importRoute, removeRoute]

const compileSerializer = SerializerSelector()({}, {})

/** An auth function that answers by itself has a body of its own, which would not pass the schema of ours. */
const compileAnswer: FastifySerializerCompiler<unknown> = (route) =>
  Number(route.httpStatus) < 400 ? compileSerializer({ httpStatus: 'default', ...route }) : (body) => JSON.stringify(body)

/** What the app has set for itself, for schemas of another kind say, is set anew here and stays as it is there. */
function standApart (scope: FastifyInstance): void {
  scope.setValidatorCompiler(compileValidator)
  scope.setSchemaErrorFormatter(describeInvalid)
  scope.setSerializerCompiler(compileAnswer)
  scope.setErrorHandler(answerError)
  acceptJson(scope)
}

/** Before anything else, and for paths that do not exist as well, or these would tell what does. */
async function guardScope (scope: FastifyInstance, { auth }: ResolvedPluginOptions): Promise<void> {
  // In this scope, whether or not the app has it too
  await scope.register(fastifyAuth)
  scope.addHook('onRequest', async (request, reply) => { reply.header('cache-control', 'no-store') })
  if (auth !== false) scope.addHook('onRequest', requireAll(scope, auth))
  scope.addHook('onRequest', async (request) => refuseCrossSite(request))
  scope.addHook('onSend', hangUpOnSender)
  scope.setNotFoundHandler(async () => { throw new RouteNotFound() })
}

export interface BackupRoutesOptions {
  engine: BackupEngine
  options: ResolvedPluginOptions
  /** @defaultValue one minute */
  stallTimeoutMs?: number
}

/** The routes, in an encapsulated scope: to be registered with the base path as its prefix. */
export async function backupRoutes (scope: FastifyInstance, { engine, options, stallTimeoutMs = 60_000 }: BackupRoutesOptions): Promise<void> {
  standApart(scope)
  await guardScope(scope, options)

  const context: RouteContext = {
    engineFor: (request) => engine.forCaller((schema) => options.isSchemaAllowed(schema, request)),
    options,
    stallTimeoutMs,
    requireRestoreAuth: options.restoreAuth.length > 0 ? requireAll(scope, options.restoreAuth) : (request, reply, done) => done()
  }
  const typed = scope.withTypeProvider<TypeBoxTypeProvider>()
  for (const route of routes) route(typed, context)
}
