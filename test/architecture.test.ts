import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import t from 'tap'
import { projectRoot } from './support/project-root.js'

interface Import { file: string, target: string, isType: boolean }

const importStatement = new RegExp([
  /^(?:import|export)(?<type> type)?\b[^'"]*?\bfrom ['"](?<from>[^'"]+)['"]/,
  /^import ['"](?<effect>[^'"]+)['"]/,
  /\bimport\(['"](?<dynamic>[^'"]+)['"]\)/
].map(({ source }) => source).join('|'), 'gm')

/** All imports of a file; those of this project as paths relative to its root. */
function importsOf (file: string): Import[] {
  const source = readFileSync(new URL(file, projectRoot), 'utf8')
  return [...source.matchAll(importStatement)].map(({ groups: { type, from, effect, dynamic } = {} }) => {
    const specifier = from ?? effect ?? dynamic ?? ''
    return {
      file,
      target: specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : specifier,
      isType: type !== undefined
    }
  })
}

const filesIn = (directory: string): string[] =>
  readdirSync(new URL(directory, projectRoot), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${directory}/${name.replaceAll('\\', '/')}`)

const imports = ['lib', 'types'].flatMap(filesIn).flatMap(importsOf)

/** Imports of files of this project, without packages. */
const own = imports.filter(({ target }) => /^(?:lib|types)\//.test(target))

/**
 * The folders that each folder may import, from the table in ARCHITECTURE.md. Every folder may import itself and the
 * common files.
 */
const folderImports: Record<string, string[]> = Object.fromEntries(
  [...readFileSync(new URL('ARCHITECTURE.md', projectRoot), 'utf8')
    .matchAll(/^\| (?<names>`\w+`(?:, `\w+`)*) \| (?<imports>[\w, ]+) \|$/gm)]
    .flatMap(({ groups: { names = '', imports = '' } = {} }) => names.split(', ').map((name) =>
      [name.replaceAll('`', ''), imports === 'nothing' ? [] : imports.split(', ')] as const)))

/** Files that every folder may import. */
const common = ['lib/errors.ts', 'lib/own-error.ts', 'lib/clock.ts', 'lib/shutdown.ts']

/** Files that connect the folders. Only these files import each other. */
const assembly = [
  'lib/index.ts', 'lib/plugin.ts', 'lib/mount-backup.ts', 'lib/disabled-service.ts', 'lib/create-engine.ts',
  'lib/create-context.ts', 'lib/bind-calls.ts', 'lib/create-backup-service.ts', 'lib/cli/bin.ts'
]

/** `lib/http/routes/x.ts` is in the folder `http`; undefined for a file directly in lib/. */
const folderOf = (file: string): string | undefined => /^lib\/([^/]+)\//.exec(file)?.[1]

const show = ({ file, target }: Import): string => `${file} -> ${target}`

t.test('imports are found', async (t) => {
  const entries = readdirSync(new URL('lib', projectRoot), { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory())
  t.strictSame(Object.keys(folderImports).sort(), folders.map(({ name }) => name).sort())
  t.ok(own.length > 100)
  t.ok(own.some((found) => show(found) === 'lib/service/create-backup.ts -> lib/snapshot/file-format.ts'))
  t.ok(own.some((found) => show(found) === 'types/restore.ts -> types/backup.ts'))
  for (const folder of Object.keys(folderImports)) {
    t.ok(own.some(({ file }) => folderOf(file) === folder), `${folder} is a folder`)
  }
})

t.test('every file is in a folder, common, or part of the assembly', async (t) => {
  const isPlaced = (file: string): boolean =>
    common.includes(file) || assembly.includes(file) || Object.hasOwn(folderImports, folderOf(file) ?? '')
  const misplaced = own.filter(({ file }) => file.startsWith('lib/') && !isPlaced(file))
  t.strictSame(misplaced.map(show), [])
})

t.test('every folder imports only the folders that it may import', async (t) => {
  const isAllowed = ({ file, target }: Import): boolean => {
    if (target.startsWith('types/') || common.includes(target) || assembly.includes(file)) return true
    const [from, to] = [folderOf(file), folderOf(target)]
    return from !== undefined && to !== undefined && (from === to || folderImports[from]?.includes(to) === true)
  }
  const inFolders = own.filter(({ file }) => file.startsWith('lib/') && !common.includes(file))
  t.strictSame(inFolders.filter((found) => !isAllowed(found)).map(show), [])
})

t.test('types/ imports nothing of lib/', async (t) => {
  t.strictSame(own.filter(({ file, target }) => file.startsWith('types/') && target.startsWith('lib/')).map(show), [])
})

t.test('the common files import no folder', async (t) => {
  t.strictSame(own.filter(({ file, target }) => common.includes(file) && !common.includes(target)).map(show), [])
})

t.test('only lib/postgres imports postgres.js', async (t) => {
  const ofPostgres = imports.filter(({ file, target }) => file.startsWith('lib/') && /^postgres(?:\/|$)/.test(target))
  t.ok(ofPostgres.length > 0)
  const wrong = ofPostgres.filter(({ file }) => folderOf(file) !== 'postgres')
  t.strictSame(wrong.map(show), [])
})

t.test('only the folders that may contain SQL do', async (t) => {
  const files = new Set(own.map(({ file }) => file))
  const sql = /[`'"]\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH \w+ AS|CREATE TABLE|ALTER TABLE|TRUNCATE|COPY) /
  const owners = ['postgres', 'backup', 'restore', 'log']
  const withSql = [...files].filter((file) => sql.test(readFileSync(new URL(file, projectRoot), 'utf8')))
  t.ok(withSql.length > owners.length)
  t.strictSame(withSql.filter((file) => !owners.includes(folderOf(file) ?? '')), [])
})

t.test('only lib/http and the assembly import Fastify at run time', async (t) => {
  const ofFastify = imports.filter(({ target, isType }) => !isType && /^(?:fastify|@fastify\/(?!error$))/.test(target))
  t.ok(ofFastify.length > 0)
  const wrong = ofFastify.filter(({ file }) => folderOf(file) !== 'http' && folderOf(file) !== undefined)
  t.strictSame(wrong.map(show), [])
})

t.test('only the program loads the command line and its packages', async (t) => {
  const ofCli = (target: string): boolean => folderOf(target) === 'cli' || target === 'commander'
  t.ok(imports.some(({ target }) => target === 'commander'))
  const wrong = imports.filter(({ file, target }) => folderOf(file) !== 'cli' && ofCli(target))
  t.strictSame(wrong.map(show), [])
})

t.test('there are no circular imports, except of types', async (t) => {
  const graph = new Map<string, string[]>()
  for (const { file, target, isType } of own) {
    if (!isType) graph.set(file, [...graph.get(file) ?? [], target])
  }
  const circles: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
    if (done.has(file) || path.includes(file)) return
    for (const target of graph.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  t.strictSame(circles, [])
})

t.test('every import that ARCHITECTURE.md allows is made', async (t) => {
  const made = new Set(own.map(({ file, target }) => `${folderOf(file)} -> ${folderOf(target)}`))
  const allowed = Object.entries(folderImports).flatMap(([from, targets]) => targets.map((to) => `${from} -> ${to}`))
  t.strictSame(allowed.filter((arrow) => !made.has(arrow)), [])
})

t.test('a file name and an exported name of lib/ and types/ stand for one thing', async (t) => {
  const twice = (names: string[]): string[] => names.filter((name, index) => names.indexOf(name) !== index)
  const files = ['lib', 'types'].flatMap(filesIn)
  t.strictSame(twice(files.filter((file) => file.startsWith('lib/')).map((file) => posix.basename(file))), [])
  const exported = files.flatMap((file) => [...readFileSync(new URL(file, projectRoot), 'utf8')
    .matchAll(/^export (?:async )?(?:function\*?|const|interface|type|class) (?<name>\w+)/gm)]
    .map(({ groups: { name = '' } = {} }) => name))
  t.ok(exported.length > 200)
  t.strictSame(twice(exported), [])
})
