import fastifySwagger from '@fastify/swagger'
import t from 'tap'
import { buildApp } from './build-app.ts'

const operations: Record<string, string> = {
  'post /admin/backup': 'createBackup',
  'get /admin/backup': 'listBackups',
  'get /admin/backup/status': 'showBackupStatus',
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

interface Operation {
  operationId: string
  summary: string
  tags: string[]
  parameters?: Array<{ in: string, name: string, schema: object }>
  requestBody?: { content: Record<string, { schema: { additionalProperties: boolean } }> }
  responses: Record<string, { description: string, content?: Record<string, { schema: object }> }>
}

/** The operations of the document that @fastify/swagger generates, by `method path`. */
async function documented (t: Parameters<typeof buildApp>[0]): Promise<Map<string, Operation>> {
  const { app } = await buildApp(t, {
    before: async (app) => {
      await app.register(fastifySwagger, { openapi: { openapi: '3.1.0', info: { title: 'shop', version: '1' } } })
    }
  })
  const paths: Record<string, Record<string, Operation>> = JSON.parse(JSON.stringify(app.swagger())).paths
  return new Map(Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method} ${path}`, operation])))
}

t.test('the document contains each route once', async (t) => {
  const found = await documented(t)
  t.strictSame(Object.fromEntries([...found].map(([route, { operationId }]) => [route, operationId])), operations)
})

t.test('every operation has a tag and a summary, and a description and a schema for each response', async (t) => {
  for (const [route, { tags, summary, responses }] of await documented(t)) {
    t.strictSame(tags, ['backup'], route)
    t.ok(summary, route)
    for (const [status, { description, content }] of Object.entries(responses)) {
      t.not(description, 'Default Response', `${route} ${status}`)
      if (status !== '204' && status !== '304') t.ok(content?.['application/json']?.schema, `${route} ${status}`)
    }
  }
})

t.test('every operation lists its error statuses', async (t) => {
  const found = await documented(t)
  const statuses = (route: string): string => Object.keys(found.get(route)?.responses ?? {}).join()
  t.equal(statuses('post /admin/backup'), '201,202,400,401,403,404,409,413,415,422,500,503,507')
  t.equal(statuses('get /admin/backup'), '200,400,401,403,500,503')
  t.equal(statuses('get /admin/backup/{id}/download'), '200,206,304,400,401,403,404,409,410,416,500,503')
  t.equal(statuses('post /admin/backup/{id}/restore'), '200,202,400,401,403,404,409,410,413,415,422,500,503,507')
  t.equal(statuses('delete /admin/backup/{id}'), '204,400,401,403,404,409,500,503')
})

t.test('path parameters, query parameters and bodies are described', async (t) => {
  const found = await documented(t)
  const names = (route: string): string[] =>
    (found.get(route)?.parameters ?? []).map((parameter) => `${parameter.in} ${parameter.name}`)
  t.strictSame(names('get /admin/backup'), [
    'query schema', 'query status', 'query trigger', 'query limit', 'query since', 'query until',
    'query before'
  ])
  t.strictSame(names('get /admin/backup/{id}'), ['path id'])
  for (const route of [
    'post /admin/backup', 'patch /admin/backup/{id}', 'post /admin/backup/{id}/plan', 'post /admin/backup/{id}/restore'
  ]) {
    t.equal(found.get(route)?.requestBody?.content['application/json']?.schema.additionalProperties, false, route)
  }
})

t.test('the document contains no internal properties of TypeBox or Fastify', async (t) => {
  t.notMatch(JSON.stringify([...await documented(t)]), /~kind|~refine|"hide"/)
})
