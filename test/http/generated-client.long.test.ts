import { copyFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import fastifySwagger from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import openapiTypescript, { astToString, type OpenAPI3 } from 'openapi-typescript'
import t from 'tap'
import ts from 'typescript'
import { backupPlugin } from '../../lib/index.ts'
import { useDirectory } from '../support/directory.ts'
import { type Place, usePlace } from '../support/engine.ts'
import { testSchema, type TestScope } from '../support/database.ts'
import { projectRoot } from '../support/project-root.js'
import { inWorkers } from '../support/worker.ts'

const token = 'a secret of this test'

async function startService (
  t: TestScope, { url, directory }: Place
): Promise<{ app: FastifyInstance, baseUrl: string }> {
  const app = Fastify()
  t.after(async () => { await app.close() })
  await app.register(fastifySwagger, { openapi: { openapi: '3.1.0', info: { title: 'shop', version: '1' } } })
  await app.register(backupPlugin, {
    enabled: true,
    connection: url,
    schema: testSchema,
    storagePath: directory,
    allowRestore: true,
    worker: inWorkers,
    auth: [async ({ headers }) => {
      if (headers.authorization !== `Bearer ${token}`) throw new Error('the token is missing')
    }]
  })
  return { app, baseUrl: await app.listen({ host: '127.0.0.1', port: 0 }) }
}

/** Generates the types of a client, compiles the client with them, and returns the errors. */
async function compileClient (directory: string, document: object): Promise<string[]> {
  const file = join(directory, 'cycle.ts')
  await symlink(fileURLToPath(new URL('node_modules', projectRoot)), join(directory, 'node_modules'), 'dir')
  await writeFile(join(directory, 'package.json'), '{"type":"module"}')
  await copyFile(new URL('test/http/generated-client/cycle.ts', projectRoot), file)
  const types = await openapiTypescript(JSON.parse(JSON.stringify(document)) as OpenAPI3)
  await writeFile(join(directory, 'api.d.ts'), astToString(types))
  const program = ts.createProgram([file], {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: [],
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext
  })
  const { diagnostics } = program.emit()
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics]
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

t.test('a client that openapi-typescript generates compiles, and drives a whole cycle', async (t) => {
  const place = await usePlace(t)
  const { app, baseUrl } = await startService(t, place)
  const directory = await useDirectory(t)
  t.strictSame(await compileClient(directory, app.swagger()), [])

  const { runCycle } = await import(pathToFileURL(join(directory, 'cycle.js')).href)
  const { created, listed, got, manifest, verified, plan, restored, imported, missing } =
    await runCycle(baseUrl, token)
  t.match(created, { status: 'completed', note: 'before the migration', schema: testSchema, rowCount: 5 })
  t.strictSame(listed, [created])
  t.strictSame(got, created)
  t.match(manifest, { id: created.id, totalRows: 5, totalTables: 2 })
  t.match(imported, { trigger: 'import', origin: { id: created.id }, checksum: created.checksum })
  t.strictSame(verified, { ok: true, problems: [] })
  t.match(plan, { id: created.id, ok: true })
  t.match(restored, { id: created.id, rowCount: 2 })
  t.match(missing, { statusCode: 404, code: 'FST_BACKUP_NOT_FOUND' })
})
