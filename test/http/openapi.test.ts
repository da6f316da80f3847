import fastifySwagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { TSchema } from 'typebox'
import Value from 'typebox/value'
import * as callSchemas from '../../lib/arguments/call-schemas.ts'
import { backupRoutes } from '../../lib/http/backup-routes.ts'
import { examples } from '../../lib/http/openapi/schema-examples.ts'
import * as types from '../../types/index.ts'
import type { TestScope } from '../support/database.ts'
import { resolved } from '../support/engine.ts'
import { buildApp, type BuildOptions } from './build-app.ts'
import { createEngineDouble } from './engine-double.ts'

const operations: Record<string, string> = {
  'post /admin/backup': 'createBackup',
  'get /admin/backup': 'listBackups',
  'get /admin/backup/status': 'showBackupStatus',
  'get /admin/backup/events': 'followBackups',
  'get /admin/backup/{id}': 'getBackup',
  'get /admin/backup/{id}/manifest': 'showManifest',
  'patch /admin/backup/{id}': 'updateBackup',
  'delete /admin/backup/{id}': 'removeBackup',
  'get /admin/backup/{id}/download': 'downloadSnapshot',
  'post /admin/backup/import': 'importBackup',
  'post /admin/backup/{id}/verify': 'verifyBackup',
  'post /admin/backup/{id}/plan': 'planRestore',
  'post /admin/backup/{id}/restore': 'restoreBackup'
}

interface Parameter { in: string, name: string, required: boolean, schema: object }

interface Response {
  description: string
  headers?: Record<string, { description: string }>
  content?: Record<string, { schema: object }>
}

interface Operation {
  operationId: string
  summary: string
  tags: string[]
  parameters?: Parameter[]
  requestBody?: { required: boolean, content: Record<string, { schema: { $ref?: string } }> }
  responses: Record<string, Response>
  security?: object[]
}

interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, { additionalProperties?: boolean, properties?: Record<string, object> }> }
}

const info = { title: 'shop', version: '1' }

/** The options of @fastify/swagger for each version, and where its documents have the named schemas. */
const versions: Array<[string, FastifyDynamicSwaggerOptions, (document: object) => object]> = [
  ['2.0', { swagger: { info } }, (document) => Object(document).definitions],
  ['3.0', { openapi: { openapi: '3.0.3', info } }, (document) => Object(document).components.schemas],
  ['3.1', { openapi: { openapi: '3.1.0', info } }, (document) => Object(document).components.schemas]
]

const openapi31: FastifyDynamicSwaggerOptions = { openapi: { openapi: '3.1.0', info } }

const documentOf = (app: FastifyInstance): Document => JSON.parse(JSON.stringify(app.swagger()))

/** The document that @fastify/swagger generates. */
async function createDocument (
  t: TestScope, swagger: FastifyDynamicSwaggerOptions = openapi31, { before, ...rest }: BuildOptions = {}
): Promise<Document> {
  const { app } = await buildApp(t, {
    ...rest,
    before: async (app) => {
      await app.register(fastifySwagger, swagger)
      await before?.(app)
    }
  })
  return documentOf(app)
}

/** The operations of a document, by `method path`. */
const operationsOf = ({ paths }: Document): Map<string, Operation> =>
  new Map(Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method} ${path}`, operation])))

/** Of an app with default options. */
const defaultDocument = createDocument(t)
const documented = async (): Promise<Map<string, Operation>> => operationsOf(await defaultDocument)

const componentNames = [
  'Backup', 'BackupList', 'BackupStatus', 'BackupTrigger', 'CreateArguments', 'Drift', 'Error', 'GoodSnapshot',
  'Manifest', 'ManifestColumn', 'ManifestSequence', 'ManifestTable', 'Origin', 'Permissions', 'PlanArguments',
  'Problem', 'ProblemCode', 'Progress', 'RestoreArguments', 'RestorePlan', 'RestoreRecord', 'RestoreResult',
  'SequenceChange', 'Status', 'SuspectTable', 'UpdateArguments', 'Verification', 'VerificationRecord'
]

for (const [version, swagger, namedIn] of versions) {
  t.test(`the document is valid and small, and its schemas have names: ${version}`, async (t) => {
    const document = await createDocument(t, swagger)
    const { valid, errors } = await new Validator().validate({ ...document })
    t.equal(valid, true, JSON.stringify(errors))
    t.ok(JSON.stringify(document).length < 65_000)
    t.strictSame(Object.keys(namedIn(document)).sort(), componentNames)
  })
}

/** Every object inside of a value. */
function objectsIn (value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return []
  return [value, ...Object.values(value).flatMap(objectsIn)]
}

t.test('a value that may be null is described as each version requires', async (t) => {
  const described: Record<string, unknown> = {}
  for (const [version, swagger, namedIn] of versions) {
    const { Backup } = Object(namedIn(await createDocument(t, swagger)))
    described[version] = [Backup.properties.rowCount, Backup.properties.restore]
  }
  t.strictSame(described, {
    '2.0': [
      { type: 'integer', 'x-nullable': true },
      { allOf: [{ $ref: '#/definitions/RestoreRecord' }], 'x-nullable': true }
    ],
    '3.0': [
      { type: 'integer', nullable: true },
      { anyOf: [{ $ref: '#/components/schemas/RestoreRecord' }, { type: 'object', nullable: true, enum: [null] }] }
    ],
    3.1: [
      { type: ['integer', 'null'] }, { anyOf: [{ $ref: '#/components/schemas/RestoreRecord' }, { type: 'null' }] }
    ]
  })
})

t.test('every enum has a type', async (t) => {
  const enums = objectsIn(await defaultDocument).filter((schema) => 'enum' in schema)
  t.ok(enums.length >= 6)
  t.strictSame(enums.filter((schema) => Object(schema).type !== 'string'), [])
})

t.test('every example is valid', async (t) => {
  const schemas: unknown[] = [...Object.values(types), ...Object.values(callSchemas)]
  const byTitle = new Map(schemas.map((schema) => [Object(schema).title as unknown, schema as TSchema]))
  for (const [title, example] of Object.entries(examples)) {
    const schema = byTitle.get(title)
    t.ok(schema !== undefined && Value.Check(schema, example), title)
  }
  const { components } = await defaultDocument
  const withExample = Object.entries(components.schemas).filter(([, schema]) => 'examples' in schema)
  t.strictSame(withExample.map(([name]) => name).sort(), Object.keys(examples).sort())
})

t.test('the document contains each route once', async (t) => {
  const found = await documented()
  t.strictSame(Object.fromEntries([...found].map(([route, { operationId }]) => [route, operationId])), operations)
})

t.test('every operation has a tag and a summary, and a description and a schema for each response', async (t) => {
  for (const [route, { tags, summary, responses }] of await documented()) {
    t.strictSame(tags, ['backup'], route)
    t.ok(summary, route)
    for (const [status, { description, content }] of Object.entries(responses)) {
      t.not(description, 'Default Response', `${route} ${status}`)
      if (status !== '204' && status !== '304') t.ok(content?.['application/json']?.schema, `${route} ${status}`)
      if (status === 'default' || Number(status) >= 400) {
        const errorSchema = { $ref: '#/components/schemas/Error' }
        t.strictSame(content?.['application/json']?.schema, errorSchema, `${route} ${status}`)
      }
    }
  }
})

t.test('every operation lists its error statuses', async (t) => {
  const found = await documented()
  const statuses = (route: string): string => {
    const all = Object.keys(found.get(route)?.responses ?? {})
    t.equal(all.pop(), 'default', route)
    return all.join()
  }
  t.equal(statuses('post /admin/backup'), '201,202,400,401,403,404,409,413,415,422,500,503,507')
  t.equal(statuses('get /admin/backup'), '200,400,401,403,500,503')
  t.equal(statuses('get /admin/backup/{id}/download'), '200,206,304,400,401,403,404,409,410,416,500,503')
  t.equal(statuses('get /admin/backup/{id}/manifest'), '200,304,400,401,403,404,409,410,413,422,500,503')
  t.equal(statuses('post /admin/backup/{id}/restore'), '200,202,400,401,403,404,409,410,413,415,422,500,503,507')
  t.equal(statuses('delete /admin/backup/{id}'), '204,400,401,403,404,409,500,503')
})

t.test('parameters and headers are described', async (t) => {
  const found = await documented()
  const names = (route: string): string[] =>
    (found.get(route)?.parameters ?? []).map((parameter) => `${parameter.in} ${parameter.name}`)
  t.strictSame(names('get /admin/backup'), [
    'query schema', 'query status', 'query trigger', 'query limit', 'query since', 'query until', 'query before'
  ])
  t.strictSame(names('get /admin/backup/{id}'), ['path id'])
  t.strictSame(names('get /admin/backup/{id}/manifest'), ['path id', 'header if-none-match'])
  t.strictSame(names('get /admin/backup/{id}/download'), [
    'query as', 'path id', 'header if-none-match', 'header range', 'header if-range'
  ])
  t.strictSame(names('post /admin/backup'), ['header prefer'])
  t.strictSame(names('post /admin/backup/{id}/restore'), ['path id', 'header prefer'])

  const headers = (route: string, status: number): string =>
    Object.entries(found.get(route)?.responses[status]?.headers ?? {})
      .map(([name, { description }]) => description === '' ? '' : name).join()
  t.equal(headers('post /admin/backup', 201), 'Location')
  t.equal(headers('post /admin/backup', 202), 'Location,Preference-Applied')
  t.equal(headers('post /admin/backup/import', 201), 'Location')
  t.equal(headers('get /admin/backup/{id}/download', 206),
    'ETag,Accept-Ranges,Content-Disposition,Content-Length,Content-Range')
  t.equal(headers('get /admin/backup/{id}/download', 416), 'Content-Range')
  t.equal(headers('get /admin/backup/{id}/manifest', 304), 'ETag')
  t.equal(headers('get /admin/backup', 200), '')
})

t.test('bodies are described, and required unless they may be empty', async (t) => {
  const document = await defaultDocument
  const bodies = [...operationsOf(document)].map(([, { operationId, requestBody }]) => {
    const { $ref } = requestBody?.content['application/json']?.schema ?? {}
    return [operationId, requestBody?.required, $ref]
  })
  t.strictSame(bodies.filter(([, required]) => required !== undefined), [
    ['createBackup', false, '#/components/schemas/CreateArguments'],
    ['updateBackup', true, '#/components/schemas/UpdateArguments'],
    ['planRestore', false, '#/components/schemas/PlanArguments'],
    ['restoreBackup', false, '#/components/schemas/RestoreArguments'],
    ['importBackup', true, undefined]
  ])
  for (const name of ['CreateArguments', 'UpdateArguments', 'PlanArguments', 'RestoreArguments']) {
    t.equal(document.components.schemas[name]?.additionalProperties, false, name)
  }
})

t.test('files are binary', async (t) => {
  const found = await documented()
  t.strictSame(found.get('post /admin/backup/import')?.requestBody?.content, {
    'application/json': { schema: { type: 'object', additionalProperties: true, description: 'A snapshot file' } },
    'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
    'application/gzip': { schema: { type: 'string', format: 'binary' } },
    'application/zstd': { schema: { type: 'string', format: 'binary' } }
  })
  t.match(found.get('get /admin/backup/{id}/download')?.responses[200]?.content, {
    'application/json': { schema: { type: 'string', format: 'binary' } }
  })
})

t.test('the option openapi.security applies to every operation of the plugin', async (t) => {
  const bearer = { type: 'http', scheme: 'bearer' } as const
  const swagger = { openapi: { openapi: '3.1.0', info, components: { securitySchemes: { bearer } } } }
  const addOwn = (app: FastifyInstance): void => { app.get('/own', async () => 'own') }
  const secured = await createDocument(t, swagger, {
    options: { openapi: { security: [{ bearer: [] }] } }, before: addOwn
  })
  for (const [route, { security }] of operationsOf(secured)) {
    t.strictSame(security, route === 'get /own' ? undefined : [{ bearer: [] }], route)
  }
  const open = operationsOf(await createDocument(t, swagger))
  t.strictSame([...open.values()].filter(({ security }) => security !== undefined), [])
})

t.test("the app's schemas of the same names, its names for them and its transform stay its own", async (t) => {
  const transformed: string[] = []
  const own = { $id: 'Error', type: 'object', properties: { reason: { type: 'string' } } }
  const document = await createDocument(t, {
    ...openapi31,
    refResolver: { buildLocalReference: ({ $id }) => String($id) },
    transform ({ schema, url }) {
      transformed.push(url)
      return { schema, url }
    }
  }, {
    before (app) {
      app.addSchema(own)
      app.post('/own', {
        schema: {
          operationId: 'createBackup',
          body: { type: 'object', properties: { name: { type: 'string' } } },
          response: { 200: { $ref: 'Error#' } }
        }
      }, async () => ({ reason: 'none' }))
    }
  })
  t.strictSame(transformed, ['/own'])
  t.strictSame(document.components.schemas.Error?.properties, { reason: { type: 'string' } })
  t.ok(document.components.schemas.FastifyBackupError?.properties?.statusCode)
  const found = operationsOf(document)
  t.match(found.get('post /own'), {
    requestBody: { required: true },
    responses: { 200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } } }
  })
  t.match(found.get('get /admin/backup/{id}')?.responses[404]?.content, {
    'application/json': { schema: { $ref: '#/components/schemas/FastifyBackupError' } }
  })
})

t.test('two instances of the plugin share their schemas', async (t) => {
  const options = resolved({ basePath: '/tenant/backup' })
  const document = await createDocument(t, openapi31, {
    before: async (app) => {
      await app.register(backupRoutes, { prefix: options.basePath, engine: createEngineDouble(), options })
    }
  })
  t.equal(operationsOf(document).size, 2 * Object.keys(operations).length)
  t.strictSame(Object.keys(document.components.schemas).sort(), componentNames)
})

t.test('the document contains no internal properties of TypeBox or Fastify', async (t) => {
  t.notMatch(JSON.stringify(await defaultDocument), /~kind|~refine|"hide"|"title":"(?!shop)/)
})
