import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import t from 'tap'
import { gatherOptions, withSource } from '../../lib/cli/gather-options.ts'
import { OptionInvalid } from '../../lib/errors.ts'
import { loadConfig } from '../../lib/cli/load-config.ts'
import { flagOf, parseValue, type PluginOption, pluginOptions, variableOf } from '../../lib/cli/plugin-options.ts'
import { useDirectory } from '../support/directory.ts'

/** A directory with one file. */
async function useFile (t: Parameters<typeof useDirectory>[0], name: string, text: string): Promise<string> {
  const directory = await useDirectory(t)
  writeFileSync(join(directory, name), text)
  return directory
}

const config = 'fastify-backup.config.mjs'

t.test('flags replace the environment, which replaces the file', async (t) => {
  const cwd = await useFile(t, config, `export default {
    enabled: false, auth: [undefined], maxBackups: 1, schema: 'a', storagePath: './a',
    schedule: { cron: '0 */6 * * *', retentionDays: 3 }, guard: false
  }`)
  const env = {
    FASTIFY_BACKUP_MAX_BACKUPS: '2',
    FASTIFY_BACKUP_SCHEMA: 'b',
    FASTIFY_BACKUP_SCHEDULE_CRON: '*/5 * * * *',
    FASTIFY_BACKUP_GUARD_MIN_ROWS: '5',
    FASTIFY_BACKUP_LOG_SCHEMA: ''
  }
  const flags = { maxBackups: '3', allowRestore: true, worker: false, excludeTables: ' a, b,' }
  const { options, sources, notes } = await gatherOptions(cwd, env, flags, undefined)
  t.strictSame(options, {
    enabled: false,
    maxBackups: 3,
    schema: 'b',
    storagePath: './a',
    schedule: { cron: '*/5 * * * *', retentionDays: 3 },
    guard: { minRows: 5 },
    allowRestore: true,
    worker: false,
    excludeTables: ['a', 'b']
  })
  t.strictSame(notes, [])
  t.strictSame(['maxBackups', 'schema', 'storagePath', 'worker'].map((name) => sources.get(name)),
    ['--max-backups', 'FASTIFY_BACKUP_SCHEMA', config, '--no-worker'])
})

t.test('DATABASE_URL replaces the connection of the file, and says so', async (t) => {
  const [file, env] = ['postgres://a/a', 'postgres://b/b']
  const cwd = await useFile(t, config, `export default { connection: '${file}' }`)
  t.match(await gatherOptions(cwd, {}, {}, undefined), { options: { connection: file }, notes: { length: 0 } })
  t.match(await gatherOptions(cwd, { DATABASE_URL: file }, {}, undefined), { notes: { length: 0 } })
  const replaced = await gatherOptions(cwd, { DATABASE_URL: env }, {}, undefined)
  t.equal(replaced.options.connection, env)
  t.strictSame(replaced.notes, [`DATABASE_URL replaces the connection of ${config}`])
  const flag = await gatherOptions(cwd, { DATABASE_URL: env }, { connection: 'postgres://c/c' }, undefined)
  t.strictSame(flag.notes, [`--connection replaces the connection of ${config}`])
})

t.test('a pool of the file is used, unless a URL is given', async (t) => {
  const pool = postgres({ database: 'shop' })
  Object.assign(globalThis, { poolOfTest: pool })
  t.teardown(() => { Reflect.deleteProperty(globalThis, 'poolOfTest') })
  const cwd = await useFile(t, config, 'export default async () => ({ sql: globalThis.poolOfTest })')
  t.equal((await gatherOptions(cwd, {}, {}, undefined)).options.sql, pool)
  const { options } = await gatherOptions(cwd, { DATABASE_URL: 'postgres://b/b' }, {}, undefined)
  t.strictSame(options, { connection: 'postgres://b/b' })
})

t.test('a wrong value is named with its source, and without the value', async (t) => {
  const cwd = await useFile(t, config, "export default { maxBackups: 'secret' }")
  const wrong = { code: 'FST_BACKUP_OPTION_INVALID', name: 'UsageError' }
  await t.rejects(gatherOptions(cwd, {}, {}, undefined),
    { ...wrong, message: `${config}: option 'maxBackups' must be a whole number from 1 to 100000` })
  const empty = await useDirectory(t)
  await t.rejects(gatherOptions(empty, { FASTIFY_BACKUP_ALLOW_RESTORE: 'yes' }, {}, undefined),
    { ...wrong, message: "FASTIFY_BACKUP_ALLOW_RESTORE: option 'allowRestore' must be true or false" })
  await t.rejects(gatherOptions(empty, {}, { 'schedule.mode': 'weekly' }, undefined),
    { ...wrong, message: "--schedule-mode: option 'schedule.mode' must be 'interval' or 'calendar'" })
  await t.rejects(gatherOptions(empty, {}, { maxBackups: 'x' }, undefined), { message: /^--max-backups: / })
  await t.rejects(gatherOptions(empty, { DATABASE_URL: 'mysql://x' }, {}, undefined), { message: /^DATABASE_URL: / })
})

t.test('an option that only its use shows to be wrong is named with its source', async (t) => {
  const sources = new Map([['schedule', 'file'], ['schedule.cron', '--schedule-cron']])
  const messageOf = (error: unknown): unknown => (withSource(error, sources) as Error).message
  const cron = "option 'schedule.cron' is wrong"
  t.equal(messageOf(new OptionInvalid(cron)), `--schedule-cron: ${cron}`)
  t.equal(messageOf(new OptionInvalid("option 'schedule.mode' is wrong")), "file: option 'schedule.mode' is wrong")
  t.equal(messageOf(new OptionInvalid('PGSSLMODE is wrong')), 'options: PGSSLMODE is wrong')
  t.equal(messageOf(new OptionInvalid("option 'x' is wrong")), "options: option 'x' is wrong")
  const types = new Map([['compression.type', '--compression-type']])
  t.equal((withSource(new OptionInvalid("option 'compression' is 'zstd'"), types) as Error).message,
    "--compression-type: option 'compression' is 'zstd'")
  const other = new Error('other')
  t.equal(withSource(other, sources), other)
  t.equal(withSource('text', sources), 'text')
})

t.test('type and level of the compression may come from different places', async (t) => {
  const cwd = await useFile(t, config, "export default { compression: 'zstd' }")
  const compressionOf = async (flags: Record<string, string>): Promise<unknown> =>
    (await gatherOptions(cwd, {}, flags, undefined)).options.compression
  t.equal(await compressionOf({}), 'zstd')
  t.strictSame(await compressionOf({ 'compression.level': '19' }), { type: 'zstd', level: 19 })
  t.strictSame(await compressionOf({ 'compression.type': 'none' }), { type: 'none' })
  const levelOfGzip = /^--compression-level: option 'compression\.level' must be a whole number from 1 to 19/
  await t.rejects(compressionOf({ 'compression.type': 'gzip', 'compression.level': '19' }), { message: levelOfGzip })
  await t.rejects(compressionOf({ 'compression.level': '20' }), { message: levelOfGzip })
  const level = await useFile(t, config, "export default { compression: { type: 'zstd', level: 19 } }")
  await t.rejects(gatherOptions(level, { FASTIFY_BACKUP_COMPRESSION_TYPE: 'gzip' }, {}, undefined),
    { message: /^fastify-backup\.config\.mjs: option 'compression\.level'/ })
  await t.rejects(gatherOptions(await useDirectory(t), {}, { 'compression.level': '3' }, undefined),
    { message: "--compression-level: option 'compression.type' must be 'none', 'gzip' or 'zstd'" })
})

t.test('a configuration is JSON, a module or a function, in the directory or elsewhere', async (t) => {
  const json = await useFile(t, 'fastify-backup.config.json', '{ "maxBackups": 4 }')
  t.strictSame(await loadConfig(json, undefined), { name: 'fastify-backup.config.json', options: { maxBackups: 4 } })
  const marked = await useFile(t, 'fastify-backup.config.json', '\ufeff{ "maxBackups": 4 }')
  t.match(await loadConfig(marked, undefined), { options: { maxBackups: 4 } }, 'a byte order mark is ignored')
  const other = await useFile(t, 'other.mjs', 'export default () => ({ maxBackups: 5 })')
  t.equal(await loadConfig(other, undefined), undefined)
  t.strictSame(await loadConfig(other, 'other.mjs'), { name: 'other.mjs', options: { maxBackups: 5 } })
  const named = await gatherOptions(json, { FASTIFY_BACKUP_CONFIG: join(other, 'other.mjs') }, {}, undefined)
  t.equal(named.options.maxBackups, 5)
})

t.test('a configuration that cannot be loaded is wrong usage', async (t) => {
  const refuses = async (name: string, text: string, message: RegExp): Promise<void> => {
    await t.rejects(loadConfig(await useFile(t, name, text), name), { name: 'UsageError', message })
  }
  await refuses('a.json', '{ password }', /^a\.json is not valid JSON$/)
  await refuses('a.json', '[]', /^a\.json must export an object/)
  await refuses('a.mjs', 'export const options = {}', /^a\.mjs must export an object/)
  await refuses('a.mjs', "throw 'x'", /^a\.mjs could not be loaded: x$/)
  await refuses('a.mjs', "throw new Error('Set SECRET')", /^a\.mjs could not be loaded: Set SECRET$/)
  await refuses('a.mjs', "export default () => { throw new Error('x') }", /^a\.mjs could not be loaded: x$/)
  await refuses('a.mjs', "export default Promise.reject(new Error('x'))", /^a\.mjs could not be loaded: x$/)
  await t.rejects(loadConfig(await useDirectory(t), 'b.json'), { message: /^b\.json cannot be read: ENOENT/ })
  const both = await useFile(t, config, 'export default {}')
  writeFileSync(join(both, 'fastify-backup.config.json'), '{}')
  await t.rejects(loadConfig(both, undefined), { message: /^there are several configurations, .*\.mjs and .*\.json/ })
})

t.test('a TypeScript configuration is read where Node.js can, and otherwise explained', async (t) => {
  const text = 'const options: object = { maxBackups: 6 }\nexport default options'
  const cwd = await useFile(t, 'fastify-backup.config.ts', text)
  const strips = 'typescript' in process.features && process.features.typescript !== false
  if (strips) t.match(await loadConfig(cwd, undefined), { options: { maxBackups: 6 } })
  else await t.rejects(loadConfig(cwd, undefined), { name: 'UsageError', message: /needs Node\.js 22\.18 or newer/ })
  const throws = "throw Object.assign(new Error('x'), { code: 'ERR_UNKNOWN_FILE_EXTENSION' })"
  if (!strips) {
    await t.rejects(loadConfig(await useFile(t, 'a.cts', throws), 'a.cts'), { message: /needs Node\.js 22\.18/ })
  }
  const elsewhere = await useFile(t, 'a.mjs', throws)
  await t.rejects(loadConfig(elsewhere, 'a.mjs'), { message: 'a.mjs could not be loaded: x' })
})

t.test('flags and variables have the names of the options', async (t) => {
  const option = (path: string): PluginOption => ({ path, kind: 'text', help: '' })
  t.equal(flagOf(option('schedule.retentionDays')), '--schedule-retention-days')
  t.equal(variableOf(option('schedule.retentionDays')), 'FASTIFY_BACKUP_SCHEDULE_RETENTION_DAYS')
  t.equal(new Set(pluginOptions.map(flagOf)).size, pluginOptions.length)
  const parse = (kind: PluginOption['kind'], text: string): unknown => parseValue({ kind }, text)
  t.strictSame(['1', '-0.5', '1e3', '0x1'].map((text) => parse('number', text)), [1, -0.5, '1e3', '0x1'])
  t.strictSame(['true', '1', 'false', '0', 'yes'].map((text) => parse('boolean', text)),
    [true, true, false, false, 'yes'])
})

t.test('--guard undoes the false of a file', async (t) => {
  const cwd = await useFile(t, config, 'export default { guard: false }')
  t.strictSame((await gatherOptions(cwd, {}, { guard: true }, undefined)).options, { guard: {} })
  t.strictSame((await gatherOptions(cwd, {}, {}, undefined)).options, { guard: false })
})
