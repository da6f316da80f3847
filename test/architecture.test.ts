import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import t from 'tap'
import { projectRoot } from './support/project-root.js'

interface Import { file: string, target: string, isType: boolean }

/** Every import of a file; those of the project as paths from its root. */
function importsOf (file: string): Import[] {
  const source = readFileSync(new URL(file, projectRoot), 'utf8')
  const statements = source.matchAll(/^(?:import|export)(?<type> type)?\b[^'"]*?\bfrom ['"](?<from>[^'"]+)['"]|^import ['"](?<effect>[^'"]+)['"]|\bimport\(['"](?<dynamic>[^'"]+)['"]\)/gm)
  return [...statements].map(({ groups: { type, from, effect, dynamic } = {} }) => {
    const specifier = from ?? effect ?? dynamic ?? ''
    return { file, target: specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : specifier, isType: type !== undefined }
  })
}

const imports = ['lib', 'types'].flatMap((directory) => readdirSync(new URL(directory, projectRoot), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .flatMap((name) => importsOf(`${directory}/${name.replaceAll('\\', '/')}`)))

/** Of the project; packages are looked at below. */
const own = imports.filter(({ target }) => /^(?:lib|types)\//.test(target))

/** What each room may import, from the table in ARCHITECTURE.md. Every room may import itself and what is common to all. */
const rooms: Record<string, string[]> = Object.fromEntries(
  [...readFileSync(new URL('ARCHITECTURE.md', projectRoot), 'utf8').matchAll(/^\| (?<names>`\w+`(?:, `\w+`)*) \| (?<imports>[\w, ]+) \|$/gm)]
    .flatMap(({ groups: { names = '', imports = '' } = {} }) => names.split(', ').map((name) =>
      [name.replaceAll('`', ''), imports === 'nothing' ? [] : imports.split(', ')] as const)))

/** Errors, the clock, and the times of a shutdown. */
const common = ['lib/errors.ts', 'lib/own-error.ts', 'lib/clock.ts', 'lib/shutdown.ts']

/** What puts the rooms together. Nothing but these imports them. */
const assembly = ['lib/index.ts', 'lib/plugin.ts', 'lib/mount-backup.ts', 'lib/disabled-service.ts', 'lib/create-engine.ts', 'lib/create-context.ts',
  'lib/bind-calls.ts']

/** `lib/http/routes/x.ts` is in the room `http`; undefined for a file directly in lib/. */
const roomOf = (file: string): string | undefined => /^lib\/([^/]+)\//.exec(file)?.[1]

const show = ({ file, target }: Import): string => `${file} -> ${target}`

t.test('imports are found', async (t) => {
  t.strictSame(Object.keys(rooms).sort(), readdirSync(new URL('lib', projectRoot), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name).sort())
  t.ok(own.length > 100)
  t.ok(own.some((found) => show(found) === 'lib/service/create-backup.ts -> lib/snapshot/file-format.ts'))
  t.ok(own.some((found) => show(found) === 'types/restore.ts -> types/backup.ts'))
  for (const room of Object.keys(rooms)) t.ok(own.some(({ file }) => roomOf(file) === room), `${room} is a room`)
})

t.test('every file is in a room, common to all, or part of the assembly', async (t) => {
  const homeless = own.filter(({ file }) => file.startsWith('lib/') && ![...common, ...assembly].includes(file) && !Object.hasOwn(rooms, roomOf(file) ?? ''))
  t.strictSame(homeless.map(show), [])
})

t.test('no arrow runs back up', async (t) => {
  const isAllowed = ({ file, target }: Import): boolean => {
    if (target.startsWith('types/') || common.includes(target) || assembly.includes(file)) return true
    const [from, to] = [roomOf(file), roomOf(target)]
    return from !== undefined && to !== undefined && (from === to || rooms[from]?.includes(to) === true)
  }
  t.strictSame(own.filter((found) => found.file.startsWith('lib/') && !common.includes(found.file) && !isAllowed(found)).map(show), [])
})

t.test('types/ imports nothing of lib/', async (t) => {
  t.strictSame(own.filter(({ file, target }) => file.startsWith('types/') && target.startsWith('lib/')).map(show), [])
})

t.test('what is common to all imports no room', async (t) => {
  t.strictSame(own.filter(({ file, target }) => common.includes(file) && !common.includes(target)).map(show), [])
})

t.test('only lib/postgres speaks to PostgreSQL', async (t) => {
  const wrong = imports.filter(({ file, target }) => file.startsWith('lib/') && /^postgres(?:\/|$)/.test(target) && roomOf(file) !== 'postgres')
  t.strictSame(wrong.map(show), [])
})

t.test('SQL is in the rooms that own it', async (t) => {
  const files = new Set(own.map(({ file }) => file))
  const sql = /[`'"]\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH \w+ AS|CREATE TABLE|ALTER TABLE|TRUNCATE|COPY) /
  const owners = ['postgres', 'backup', 'restore', 'log']
  const wrong = [...files].filter((file) => !owners.includes(roomOf(file) ?? '') && sql.test(readFileSync(new URL(file, projectRoot), 'utf8')))
  t.strictSame(wrong, [])
})

t.test('only lib/http and what mounts it know Fastify at run time', async (t) => {
  const wrong = imports.filter(({ file, target, isType }) => !isType && /^(?:fastify|@fastify\/(?!error$))/.test(target) && roomOf(file) !== 'http' && roomOf(file) !== undefined)
  t.strictSame(wrong.map(show), [])
})

t.test('no files import each other in a circle, types aside', async (t) => {
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
  const made = new Set(own.map(({ file, target }) => `${roomOf(file)} -> ${roomOf(target)}`))
  const allowed = Object.entries(rooms).flatMap(([from, targets]) => targets.map((to) => `${from} -> ${to}`))
  t.strictSame(allowed.filter((arrow) => !made.has(arrow)), [])
})
