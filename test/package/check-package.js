// npm run test:package
//
// Packs the library as npm publishes it and uses the package in an empty project: installs it, imports it, requires it,
// runs it on the server of TEST_DATABASE_URL and type-checks it. publint and attw check the package itself.

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram } from '../support/find-program.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const consumer = fileURLToPath(new URL('consumer/', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'fastify-backup-package-'))
process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))

let passed = 0
let failed = 0

const [packed] = JSON.parse(npm(['pack', '--json', '--silent', '--pack-destination', directory], root))
const tarball = join(directory, packed.filename)
/** @type {string[]} */
const shipped = packed.files.map((/** @type {{ path: string }} */ { path }) => path)

check('ships the library, its types, its documents and the examples, and nothing else', () => {
  const documents = ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE']
  const missing = [...documents, 'dist/lib/index.js', 'dist/lib/index.d.ts'].filter((path) => !shipped.includes(path))
  const known = [
    /^dist\/(lib|types)\/.*\.(js|d\.ts)$/,
    /^dist\/ui\/(files\.json|(page|icon)-[\w-]{12}\.(js|css|svg)(\.(br|gz))?)$/,
    /^(examples\/[\w-]+\.js|docs\/\w+\.(png|svg)|bench\/RESULTS\.md|[A-Z]+\.md)$/
  ]
  const unexpected = shipped.filter((path) => !documents.includes(path) && !known.some((kind) => kind.test(path)))
  if (missing.length > 0 || unexpected.length > 0) {
    throw new Error(`missing: ${missing.join(', ')}; unexpected: ${unexpected.join(', ')}`)
  }
})

check('ships every file that its documents link to', () => {
  const broken = shipped.filter((path) => path.endsWith('.md')).flatMap((path) => {
    const links = readFileSync(join(root, path), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)
    return [...links].map(([, link = '']) => posix.join(posix.dirname(path), link))
      .filter((target) => !shipped.includes(target)).map((target) => `${target} of ${path}`)
  })
  if (broken.length > 0) throw new Error(`missing: ${broken.join(', ')}`)
})

check('installs in an empty project that depends on fastify only', () => {
  writeFileSync(join(directory, 'package.json'), '{ "private": true }')
  for (const file of readdirSync(consumer)) copyFileSync(join(consumer, file), join(directory, file))
  const others = ['fastify', 'typescript', '@types/node'].map(atOurVersion)
  npm(['install', '--no-audit', '--no-fund', tarball, ...others], directory)
})

check('can be imported by an ES module', () => { node(['esm.mjs'], directory) })

check('can be required by a CommonJS module', () => { node(['cjs.cjs'], directory) })

check('has a program that npx runs, which no module of the library loads', () => {
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  if (!shipped.includes(bin['fastify-backup'])) throw new Error(`missing: ${bin['fastify-backup']}`)
  const help = npm(['exec', '--no', '--', 'fastify-backup', '--help'], directory)
  if (!help.startsWith('Usage: fastify-backup ')) throw new Error(help)
})

check('serves the admin page', () => {
  node(['--input-type=module', '--eval', `
    import Fastify from 'fastify'
    import backup from 'fastify-backup'
    const app = Fastify()
    const auth = [async () => {}]
    await app.register(backup, { enabled: true, connection: 'postgres://127.0.0.1:1/none', auth, ui: true })
    const { body } = await app.inject('/admin/backup/ui/')
    for (const [, file] of body.matchAll(/(?:href|src)="([^"]+)"/g)) {
      const { statusCode } = await app.inject('/admin/backup/ui/' + file)
      if (statusCode !== 200) throw new Error(file + ': ' + statusCode)
    }
    await app.close()`], directory)
})

check('backs up and restores in a worker, imported by an ES module', () => {
  node(['run.mjs', 'worker'], directory)
})

check('backs up and restores in a worker, required by a CommonJS module', () => {
  node(['run.cjs', 'worker'], directory)
})

check('backs up and restores in the main thread, with one warning, when the worker\'s file is missing', () => {
  // As when a bundler has put the library into a single file
  const entry = join(directory, 'node_modules/fastify-backup/dist/lib/worker/backup-worker.js')
  renameSync(entry, `${entry}.away`)
  try {
    node(['run.mjs', 'main'], directory)
    node(['run.cjs', 'main'], directory)
  } finally {
    renameSync(`${entry}.away`, entry)
  }
})

check('type-checks in a strict TypeScript project, declarations included', () => {
  node(['node_modules/typescript/bin/tsc'], directory)
})

check('publint reports no problem', () => { node([program('publint'), 'run', tarball, '--strict'], root) })

check('attw finds the types with each module resolution of an ES module', () => {
  node([program('@arethetypeswrong/cli', 'attw'), tarball, '--profile', 'esm-only', '--no-emoji'], root)
})

console.log(`package: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

/**
 * @param {string} title
 * @param {() => void} test
 */
function check (title, test) {
  try {
    test()
    passed++
    console.log(`ok - ${title}`)
  } catch (err) {
    failed++
    console.log(`not ok - ${title}\n${err instanceof Error ? err.message : err}`)
  }
}

/**
 * @param {string[]} args
 * @param {string} cwd
 */
function npm (args, cwd) {
  // npm run sets npm_execpath to npm's script; Node runs it without a shell, which npm.cmd needs on Windows
  const script = process.env.npm_execpath
  return script === undefined ? run('npm', args, cwd) : node([script, ...args], cwd)
}

/**
 * @param {string[]} args
 * @param {string} cwd
 */
function node (args, cwd) {
  return run(process.execPath, args, cwd)
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function run (command, args, cwd) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${status}\n${stdout}${stderr}`)
  return stdout
}

/**
 * @param {string} dependency
 * @param {string} [name]
 */
function program (dependency, name) {
  const script = findProgram(dependency, name, new URL('.', import.meta.url))
  if (script === undefined) throw new Error(`${dependency} is not installed; run npm ci --prefix test/package`)
  return script
}

/**
 * Resolved from the root, because attw installs another version of TypeScript below test/package.
 * @param {string} dependency
 */
function atOurVersion (dependency) {
  return `${dependency}@${createRequire(join(root, 'package.json'))(`${dependency}/package.json`).version}`
}
