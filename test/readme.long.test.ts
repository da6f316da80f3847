import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import fastifySwagger from '@fastify/swagger'
import openapiTS, { astToString } from 'openapi-typescript'
import t, { type Test } from 'tap'
import { startExample, type RunningExample } from './examples/start-example.ts'
import { buildApp } from './http/build-app.ts'
import { useDatabase } from './support/database.ts'
import { useDirectory } from './support/directory.ts'
import { useEngineWithFiles } from './support/engine.ts'
import { findProgram } from './support/find-program.js'
import { projectRoot } from './support/project-root.js'

t.setTimeout(300_000)

/**
 * A block of code. A comment above it, which readers do not see, says what it is: `run: jwt.js` is a program, `file:
 * verify-admin.js` a file of programs, and `fragment` a part of the reader's program.
 */
interface Block { mark: string, code: string }

const readme = readFileSync(new URL('README.md', projectRoot), 'utf8')
const blockPattern = /(?:^<!-- (?<mark>[^\n]*) -->\n)?^ *```[jt]s\n(?<code>.*?)^ *```$/gms
const blocks: Block[] = [...readme.matchAll(blockPattern)].map(({ groups }) =>
  ({ mark: groups?.mark ?? '', code: groups?.code ?? '' }))

const namePattern = /^(?:run|file): (?<name>[\w/-]+\.[jt]s)$/
const nameOf = ({ mark }: Block): string => namePattern.exec(mark)?.groups?.name ?? ''
const programs = blocks.filter(({ mark }) => mark.startsWith('run: '))

const secrets = {
  ADMIN_TOKEN: 'token', JWT_SECRET: 'secret of the tokens', SESSION_SECRET: 'a secret of at least 32 characters'
}

/** What the reader's program has above a fragment. */
const prelude = `import type { FastifyInstance, FastifyRequest } from 'fastify'
import backup from 'fastify-backup'
declare const app: FastifyInstance
declare const verifyAdmin: (request: FastifyRequest) => Promise<void>
declare const id: string
`

/** All files and programs of the README, in the project, where their imports are found. */
const directory = mkdtempSync(fileURLToPath(new URL('dist/readme-', projectRoot)))
t.teardown(() => { rmSync(directory, { recursive: true }) })
for (const [index, block] of blocks.entries()) {
  const name = nameOf(block) || `fragment-${index}.ts`
  mkdirSync(dirname(join(directory, name)), { recursive: true })
  writeFileSync(join(directory, name), nameOf(block) === '' ? prelude + block.code : block.code)
}

/** The programs in TypeScript, and all fragments: JavaScript is TypeScript with parameters of any type. */
function compile (): ReturnType<typeof spawnSync> {
  const options = {
    extends: fileURLToPath(new URL('tsconfig.json', projectRoot)),
    compilerOptions: {
      noImplicitAny: false, checkJs: false, allowJs: false, incremental: false, rootDir: '.', outDir: '.', paths: {}
    },
    include: ['*.ts'],
    references: []
  }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(options))
  const compiler = findProgram('typescript', 'tsc') ?? ''
  return spawnSync(process.execPath, [compiler, '--project', directory], { encoding: 'utf8' })
}

/** The types of a client, which the reader generates with openapi-typescript. */
async function generateClientTypes (): Promise<void> {
  const { app } = await buildApp(t, {
    before: async (app) => { await app.register(fastifySwagger, { openapi: { openapi: '3.1.0' } }) }
  })
  writeFileSync(join(directory, 'api.d.ts'), astToString(await openapiTS(JSON.stringify(app.swagger()))))
}

await generateClientTypes()
const compiled = compile()

const preload = new URL('test/support/any-port.js', projectRoot)
const NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${String(preload)}`

async function start (
  t: Test, name: string, env: NodeJS.ProcessEnv
): Promise<RunningExample & { directory: string, origin: () => Promise<string> }> {
  const cwd = await useDirectory(t)
  const path = `../${pathToFileURL(join(directory, name)).href.slice(projectRoot.href.length)}`.replace(/\.ts$/, '.js')
  const program = startExample(t, path, { cwd, env: { ...secrets, NODE_OPTIONS, ...env } })
  async function origin (): Promise<string> {
    await program.prints('Server listening at ')
    return /Server listening at (?<url>http:[^"]+)/.exec(program.output())?.groups?.url ?? ''
  }
  return { ...program, directory: cwd, origin }
}

/** The headers of an administrator. */
async function logIn (name: string, origin: string): Promise<Record<string, string>> {
  if (name === 'session.js') {
    const response = await fetch(`${origin}/login`, { method: 'POST' })
    return { cookie: response.headers.get('set-cookie')?.split(';')[0] ?? '' }
  }
  if (name !== 'jwt.js') return { authorization: `Bearer ${secrets.ADMIN_TOKEN}` }
  const parts = [{ alg: 'HS256', typ: 'JWT' }, { sub: 'ada', role: 'admin' }]
  const claims = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = createHmac('sha256', secrets.JWT_SECRET).update(claims).digest('base64url')
  return { authorization: `Bearer ${claims}.${signature}` }
}

t.test('every block of JavaScript or TypeScript is a program, a file or a fragment', async (t) => {
  t.ok(blocks.length >= 20)
  t.equal(readme.match(/^ *```[jt]s\n/gm)?.length, blocks.length)
  const unknown = blocks.filter((block) => block.mark !== 'fragment' && nameOf(block) === '')
  t.strictSame(unknown.map(({ code }) => code), [])
  const names = blocks.map(nameOf).filter((name) => name !== '')
  t.strictSame(names, [...new Set(names)], 'each name once')
})

t.test('the fragments, and the programs in TypeScript, have no type errors', async (t) => {
  t.strictSame([compiled.stdout, compiled.status], ['', 0])
})

for (const program of programs) {
  const { code } = program
  const name = nameOf(program)

  t.test(`${name} works, and lets in administrators only`, async (t) => {
    const { url, sql } = await useDatabase(t, { schema: 'public' })
    await sql.unsafe(`
      CREATE SCHEMA tenant_acme; CREATE SCHEMA tenant_copy;
      CREATE TABLE users AS SELECT 1 AS id; CREATE TABLE tenant_acme.users AS SELECT 1 AS id`)
    const running = await start(t, name, { DATABASE_URL: url })
    if (!code.includes('app.listen(')) {
      t.equal(await running.ended, 0, running.output())
      return
    }
    const base = `${await running.origin()}/admin/backup`
    for (const authorization of ['', 'Bearer', 'Bearer undefined', 'Bearer null', 'Bearer x', 'Basic dG9rZW4=']) {
      t.equal((await fetch(base, { method: 'POST', headers: { authorization } })).status, 401, authorization)
    }
    const response = await fetch(base, { method: 'POST', headers: await logIn(name, new URL(base).origin) })
    t.match(await response.json(), { status: 'completed', rowCount: 1 })
    running.kill('SIGTERM')
    t.equal(await running.ended, code.includes('process.once(') ? 0 : 'SIGTERM')
  })

  const needed = Object.keys(secrets).filter((secret) =>
    code.includes(secret) || (secret === 'ADMIN_TOKEN' && code.includes('./verify-admin.js')))
  for (const secret of needed) {
    t.test(`${name} does not start without ${secret}`, async (t) => {
      const program = await start(t, name, { [secret]: '', DATABASE_URL: 'postgres://localhost:1/nowhere' })
      t.equal(await program.ended, 1)
      t.match(program.output(), `Set ${secret}`)
    })
  }
}

t.test('the files for @fastify/autoload work', async (t) => {
  const load = (plugins: string): string => `
    import Fastify from 'fastify'
    ${plugins}
    await app.ready()
    console.log('status', (await app.inject('/admin/backup')).statusCode)
    await app.close()`
  writeFileSync(join(directory, 'load-app.js'), load(`
    import plugin from './app.js'
    const app = Fastify().register(plugin)`))
  writeFileSync(join(directory, 'load-exported.js'), load(`
    import autoload from '@fastify/autoload'
    import { join } from 'node:path'
    const app = Fastify().register(autoload, { dir: join(import.meta.dirname, 'exported') })`))
  for (const name of ['load-app.js', 'load-exported.js']) {
    const program = await start(t, name, { DATABASE_URL: 'postgres://localhost:1/nowhere' })
    t.equal(await program.ended, 0, program.output())
    t.match(program.output(), 'status 401')
  }
})

t.test('no code compares a secret with an operator, which takes longer for a better guess', async (t) => {
  const examples = readdirSync(new URL('examples/', projectRoot)).filter((name) => name.endsWith('.js'))
  const texts = [readme, ...examples.map((name) => readFileSync(new URL(`examples/${name}`, projectRoot), 'utf8'))]
  for (const text of texts) t.notMatch(text, /[!=]==? *[`'"]Bearer/)
})

const hasJq = spawnSync('jq', ['--version']).status === 0
const isPosix = process.platform !== 'win32'
t.test('the commands that check a file by hand print each checksum twice', {
  skip: !(hasJq && isPosix) && 'needs jq and the tools of POSIX'
}, async (t) => {
  const [, script = ''] = /^To check the manifest and a table by hand:\n\n```sh\n(.*?)^```$/ms.exec(readme) ?? []
  const { sql, url } = await useDatabase(t)
  await sql.unsafe("CREATE TABLE users (id int, name text); INSERT INTO users VALUES (1, 'Ada')")
  const { engine, storagePath } = await useEngineWithFiles(t, { connection: url })
  const { filename, checksum } = await engine.create()
  const { status, stdout } = spawnSync('bash', ['-c', script], {
    encoding: 'utf8', env: { ...process.env, FILE: join(storagePath, filename) }
  })
  t.equal(status, 0)
  const sums = stdout.match(/[0-9a-f]{64}/g) ?? []
  t.equal(sums.length, 4)
  t.equal(`sha256:${sums[0]}`, checksum)
  t.equal(sums[1], sums[0])
  t.equal(sums[3], sums[2])
})
