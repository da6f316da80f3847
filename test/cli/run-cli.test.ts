import { EventEmitter } from 'node:events'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { createBackupService } from '../../lib/create-backup-service.ts'
import { commands } from '../../lib/cli/commands/all-commands.ts'
import { type CliProcess, runIfMain } from '../../lib/cli/run-process.ts'
import type { Backup, BackupList, StandaloneBackupService } from '../../types/index.ts'
import { testSchema } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { usePlace } from '../support/engine.ts'
import { until } from '../support/until.ts'
import { capture, environmentOf, keyboard, runHere, runJson } from './run-here.ts'

t.test('help names every command, option and exit code, and each command has an example', async (t) => {
  const { code, stdout, stderr } = await runHere(['--help'], { columns: 80 })
  t.equal(code, 0)
  t.equal(stderr, '')
  for (const { name } of commands) t.match(stdout, new RegExp(`^ {2}${name} `, 'm'))
  t.match(stdout, /--storage-path <text>/)
  t.match(stdout, /130 interrupted/)
  t.strictSame(stdout.split('\n').filter((line) => line.length > 80), [])
  for (const { name } of commands) {
    const help = await runHere([name, '--help'], { columns: 60 })
    const pattern = `^Usage: fastify-backup ${name} .*\n\nExample:\n {2}fastify-backup ${name}\\b`
    t.match(help, { code: 0, stdout: new RegExp(pattern, 's') })
    const isExample = (line: string): boolean => line.startsWith('  fastify-backup ')
    t.strictSame(help.stdout.split('\n').filter((line) => line.length > 60 && !isExample(line)), [])
  }
  const schedule = (await runHere(['schedule', '--help'])).stdout
  t.match(schedule, '--schedule-cron')
  t.notMatch(schedule, '--schedule-enabled', 'the command sets it')
  t.match((await runHere(['restore', '--help'])).stdout, /--no-allow-restore +do not allow restores\n/)
  t.notMatch((await runHere(['list', '--help'])).stdout, '--schedule-cron')
  t.match(await runHere(['help', 'restore']), { code: 0, stdout: /^Usage: fastify-backup restore/ })
  t.match(await runHere(['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ })
})

t.test('wrong usage ends with 2 and a message', async (t) => {
  t.strictSame(await runHere([]),
    { code: 2, stdout: '', stderr: 'error: no command; fastify-backup --help lists them (USAGE)\n' })
  t.match(await runHere(['lst']), { code: 2, stderr: /unknown command 'lst'.*list/s })
  t.match(await runHere(['list', '--colour']), { code: 2, stderr: /unknown option '--colour'/ })
  const suggestion = "error: unknown option '--lim' (Did you mean --limit?) (USAGE)\n"
  t.equal((await runHere(['list', '--lim', '1'])).stderr, suggestion)
  for (const args of [['lst', '--help'], ['help', 'lst']]) {
    t.match(await runHere(args), { code: 2, stdout: '', stderr: /unknown command 'lst' \(Did you mean list\?\)/ })
  }
  t.match(await runHere(['show']), { code: 2, stderr: /missing required argument 'id'/ })
  t.match(await runHere(['completion', 'cmd']), { code: 2, stderr: /bash, zsh, fish/ })
  const { code, stderr } = await runHere(['show', '--json'])
  t.equal(code, 2)
  t.strictSame(JSON.parse(stderr), { error: { code: 'USAGE', message: "missing required argument 'id'" } })
})

t.test('an error has a message and a code, and a stack only with --debug', async (t) => {
  const env = { DATABASE_URL: 'postgres://127.0.0.1:1/none', NO_COLOR: '1' }
  const failed = await runHere(['list'], { env })
  t.equal(failed.code, 1)
  t.match(failed.stderr, /^error: The database is not available .* \(FST_BACKUP_DATABASE_UNAVAILABLE\)\n$/)
  t.match((await runHere(['list', '--debug'], { env })).stderr, /UNAVAILABLE\)\n +at /)
  const { stderr } = await runHere(['list', '--debug', '--json'], { env })
  t.match((JSON.parse(stderr) as { error: { stack: string } }).error.stack, /\n +at /)
  const thrown = await runHere(['list'], { createService: () => { throw new TypeError('a defect\u001b[2J') } })
  t.match(thrown, { code: 1, stderr: 'error: a defect\\u001b[2J (TypeError)\n' })
  t.match(await runHere(['lst']), { code: 2, stderr: "error: unknown command 'lst' (Did you mean list?) (USAGE)\n" })
  const text: unknown = 'text'
  const other = await runHere(['list'], { createService: () => { throw text } })
  t.match(other, { code: 1, stderr: 'error: text (Error)\n' })
})

t.test('the problems of an error are a list, or part of its document', async (t) => {
  const refused = Object.assign(new Error('refused'), { code: 'CODE', problems: ['a', 'b'] })
  const createService = (): never => { throw refused }
  t.equal((await runHere(['list'], { createService })).stderr, 'error: refused (CODE)\n  - a\n  - b\n')
  t.strictSame(JSON.parse((await runHere(['list', '--json'], { createService })).stderr),
    { error: { code: 'CODE', message: 'refused', problems: ['a', 'b'] } })
})

t.test('an option that the service refuses is named with its source', async (t) => {
  t.match(await runHere(['schedule', '--schedule-cron', '* *']),
    { code: 2, stderr: /^error: --schedule-cron: option 'schedule\.cron' must have five fields/ })
  const env = { DATABASE_URL: 'postgres://u:p@h:port/x' }
  t.match(await runHere(['list'], { env }), { code: 2, stderr: /DATABASE_URL: option 'connection' is not a valid URL/ })
})

t.test('--config names the configuration, and a replaced connection is reported', async (t) => {
  const place = await usePlace(t)
  const args = ['list', '--config', '/nowhere/at-all.json']
  t.match(await runHere(args, { env: environmentOf(place) }), { code: 2, stderr: /at-all\.json cannot be read/ })
  const config = join(place.directory, 'config.json')
  writeFileSync(config, '{ "connection": "postgres://other/other" }')
  t.match(await runHere(['list', '--config', config], { env: environmentOf(place), columns: 80 }),
    { code: 0, stderr: 'warning: DATABASE_URL replaces the connection of config.json\n' })
  const replaces = 'DATABASE_URL replaces the connection of config.json'
  const command = ['list', '--config', config]
  t.match(await runHere(command, { env: environmentOf(place) }), { code: 0, stderr: `warning: ${replaces}\n` })
  const json = await runHere([...command, '--json'], { env: environmentOf(place) })
  t.strictSame([json.code, JSON.parse(json.stderr)], [0, { warning: { message: replaces } }])
})

t.test('JSON and tables, progress or none, whatever stdout is', async (t) => {
  const place = await usePlace(t)
  const options = { env: environmentOf(place), cwd: place.directory }
  t.match(await runHere(['list', '--no-json'], options), { stdout: 'There are no backups.\n' })
  t.match(await runHere(['list', '--json'], { ...options, columns: 80 }), { stdout: /^\{\n {2}"backups": \[\],/ })
  const withBar = await runHere(['create'], { ...options, columns: 80 })
  t.match(withBar, { code: 0, stderr: /\rbacking up .*\[K\r.\[K$/ })
  t.match(await runHere(['create', '--no-progress'], { ...options, columns: 80 }), { code: 0, stderr: '' })
  const dumb = { ...options.env, TERM: 'dumb' }
  t.match(await runHere(['create'], { ...options, env: dumb, columns: 80 }), { code: 0, stderr: '' })
  t.match(await runHere(['create'], options), { code: 0, stderr: '' })
})

t.test('a signal aborts a backup, which leaves a failed row and no file', async (t) => {
  const place = await usePlace(t)
  const interrupt = new AbortController()
  const { code, stdout, stderr } = await runHere(['create', '--progress'], {
    env: environmentOf(place),
    cwd: place.directory,
    interrupted: interrupt.signal,
    createService (options, dependencies) {
      const service = createBackupService(options, dependencies)
      service.once('backup:started', () => { interrupt.abort() })
      return service
    }
  })
  t.equal(code, 130)
  t.equal(stdout, '')
  t.match(stderr, /interrupted\n$/)
  const { backups: [backup] } = await runJson<BackupList>(place, ['list'])
  t.match(backup, { status: 'failed', error: 'Aborted: by the caller' })
})

t.test('a signal before the first call, or during one without a signal, ends the command', async (t) => {
  const place = await usePlace(t)
  t.match(await runHere(['list'], { env: environmentOf(place), interrupted: AbortSignal.abort() }), { code: 130 })
  const interrupt = new AbortController()
  const { code } = await runHere(['list'], {
    env: environmentOf(place),
    interrupted: interrupt.signal,
    createService (options, dependencies) {
      const service = createBackupService(options, dependencies)
      const list: StandaloneBackupService['list'] = async (query) => {
        interrupt.abort()
        return await service.list(query).then(async () => await service.list(query))
      }
      return { ...service, list }
    }
  })
  t.equal(code, 130)
})

t.test('the log lines of a run do not repeat its result or its error', async (t) => {
  const place = await usePlace(t)
  const options = { env: environmentOf(place), cwd: await useDirectory(t) }
  writeFileSync(join(options.cwd, 'wrong.json'), '{}')
  const text = await runHere(['import', 'wrong.json'], options)
  t.match(text, { code: 1, stderr: /^error: The snapshot file is damaged.*\n$/ })
  const json = await runHere(['import', 'wrong.json', '--json'], options)
  t.match(JSON.parse(json.stderr), { error: { code: 'FST_BACKUP_SNAPSHOT_INVALID' } })
  const { id } = await runJson<Backup>(place, ['create'])
  t.match(await runHere(['restore', id, '--allow-restore', '--yes'], options), { code: 0, stderr: '' })
})

t.test('with --json, the warnings of the service are JSON, too', async (t) => {
  const place = await usePlace(t)
  await place.sql`INSERT INTO users (name) SELECT 'user ' || i FROM generate_series(1, 200) i`
  await runJson(place, ['create'])
  await place.sql`DELETE FROM users WHERE name LIKE 'user%'`
  const options = { env: environmentOf(place), cwd: place.directory }
  const { code, stdout, stderr } = await runHere(['create', '--json'], options)
  t.equal(code, 0)
  const { id } = JSON.parse(stdout) as Backup
  t.match(JSON.parse(stderr), { warning: { message: /^a backup has far fewer rows/, id, schema: testSchema } })
})

t.test('after a signal, only what the signal caused is an interruption', async (t) => {
  const ending = async (code: string, name = 'Error'): Promise<{ code: number, stderr: string }> => {
    const interrupt = new AbortController()
    const env = { DATABASE_URL: 'postgres://127.0.0.1:1/none', NO_COLOR: '1' }
    return await runHere(['list'], {
      env,
      interrupted: interrupt.signal,
      createService (options, dependencies) {
        const list = async (): Promise<never> => {
          interrupt.abort()
          throw Object.assign(new Error('a reason'), { code, name })
        }
        return { ...createBackupService(options, dependencies), list }
      }
    })
  }
  for (const code of ['FST_BACKUP_ABORTED', 'FST_BACKUP_SHUTTING_DOWN']) {
    t.match(await ending(code), { code: 130, stderr: 'interrupted\n' })
  }
  t.match(await ending('ABORT_ERR', 'AbortError'), { code: 130, stderr: 'interrupted\n' })
  t.match(await ending('FST_BACKUP_RESTORE_UNCERTAIN'),
    { code: 1, stderr: 'error: a reason (FST_BACKUP_RESTORE_UNCERTAIN)\n' })
})

/** Runs the schedule, and in its service one backup of each outcome. Returns what it wrote. */
async function runSchedule (
  t: Test, args: string[], columns?: number
): Promise<{ code: number, stdout: string, stderr: string }> {
  const place = await usePlace(t)
  const interrupt = new AbortController()
  let service: StandaloneBackupService | undefined
  const running = runHere(['schedule', ...args], {
    env: environmentOf(place),
    columns,
    interrupted: interrupt.signal,
    createService (options, dependencies) {
      service = createBackupService(options, dependencies)
      return service
    }
  })
  t.teardown(() => { interrupt.abort() })
  await until(() => service !== undefined)
  if (service === undefined) throw new Error('there is no service')
  await place.sql`INSERT INTO users (name) SELECT 'user ' || i FROM generate_series(1, 200) i`
  await service.create()
  await service.create()
  await place.sql`DELETE FROM users WHERE name LIKE 'user%'`
  await service.create()
  const aborting = new AbortController()
  service.on('backup:started', () => { aborting.abort() })
  await t.rejects(service.create({ signal: aborting.signal }), { code: 'FST_BACKUP_ABORTED' })
  interrupt.abort()
  return await running
}

t.test('schedule prints what it does until a signal', async (t) => {
  const json = await runSchedule(t, ['--max-backups', '1'])
  t.equal(json.code, 0)
  const events = json.stdout.trim().split('\n').map((line) => JSON.parse(line) as { event: string, error?: string })
  t.strictSame(events.map(({ event }) => event), [
    'backup:started', 'backup:completed',
    'backup:started', 'backup:completed', 'backup:pruned',
    'backup:started', 'backup:completed', 'backup:suspect',
    'backup:started', 'backup:failed'
  ])
  t.equal(events.at(-1)?.error, 'Aborted: by the caller')

  const text = await runSchedule(t, ['--max-backups', '1'], 80)
  t.equal(text.code, 0)
  t.match(text.stderr, /^The next backup: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n/)
  const lines = text.stdout.trim().split('\n')
  t.equal(lines.length, events.length)
  const patterns = [
    `^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d {2}backup of ${testSchema} started$`,
    'backup of \\S+ completed: \\S+\\.json, 205 rows, [\\d.]+ KiB in .*s$',
    'started$', 'completed', 'deleted \\S+\\.json: .', 'started$', 'completed', 'lost many rows$',
    'started$', 'backup of \\S+ failed: Aborted: by the caller$'
  ]
  for (const [index, pattern] of patterns.entries()) t.match(lines[index], new RegExp(pattern))
})

t.test('a schedule that a signal ends while it starts ends as asked', async (t) => {
  const { code } = await runHere(['schedule'], { interrupted: AbortSignal.abort() })
  t.equal(code, 0)
})

/** A process that ends when the command line calls exit(). */
interface FakeProcess extends CliProcess { signals: EventEmitter, exited: Promise<number>, stderrText: () => string }

function fakeProcess (
  script: string | undefined, args: string[], stdout = capture().stream, env: NodeJS.ProcessEnv = {}
): FakeProcess {
  const signals = new EventEmitter()
  const stderr = capture()
  let exit: (code: number) => void = () => {}
  const exited = new Promise<number>((resolve) => { exit = resolve })
  return {
    argv: ['node', ...script === undefined ? [] : [script], ...args],
    env,
    stdin: keyboard(),
    stdout,
    stderr: stderr.stream,
    cwd: () => '/nowhere',
    on: (signal, listener) => signals.on(signal, listener),
    exit: (code) => { exit(code) },
    signals,
    exited,
    stderrText: stderr.text
  }
}

t.test('the program runs only as the main module, also by a link', async (t) => {
  const module = import.meta.url
  const directory = await useDirectory(t)
  const link = join(directory, 'fastify-backup')
  symlinkSync(fileURLToPath(module), link)
  for (const script of [fileURLToPath(module), link]) {
    const main = fakeProcess(script, ['--version'])
    await runIfMain(module, main, createBackupService)
    t.equal(await main.exited, 0)
  }
  for (const script of [undefined, join(directory, 'missing'), fileURLToPath(new URL('run-here.js', module))]) {
    const imported = fakeProcess(script, [])
    await runIfMain(module, imported, createBackupService)
    t.equal(imported.signals.eventNames().length, 0)
  }
})

t.test('output that cannot be written is a failure, unless its reader ended', async (t) => {
  const module = import.meta.url
  const message = 'error: the command is done, but its output is incomplete: ENOSPC\n'
  for (const [errno, code, stderr] of [['EPIPE', 0, ''], ['ENOSPC', 1, message]] as const) {
    const stdout = new Writable({
      write (_chunk, _encoding, done) { done(Object.assign(new Error(errno), { code: errno })) }
    })
    const process = fakeProcess(fileURLToPath(module), ['--version'], stdout)
    await runIfMain(module, process, createBackupService)
    t.equal(await process.exited, code)
    t.equal(process.stderrText(), stderr)
  }
})

t.test('an end of the process that is not that of the command is a failure', async (t) => {
  const module = import.meta.url
  const process = fakeProcess(fileURLToPath(module), ['list'])
  const running = runIfMain(module, process, (options, dependencies) => {
    process.signals.emit('exit')
    return createBackupService(options, dependencies)
  })
  await process.exited
  await running
  t.equal(process.exitCode, 1)
  t.match(process.stderrText(), /^error: the process ended before the command did\n/)

  const ended = fakeProcess(fileURLToPath(module), ['--version'])
  await runIfMain(module, ended, createBackupService)
  ended.signals.emit('exit')
  t.equal(ended.exitCode, undefined)
  t.equal(ended.stderrText(), '')
})

t.test('the first signal aborts, and the second one ends the process', async (t) => {
  const module = import.meta.url
  const process = fakeProcess(fileURLToPath(module), ['list'])
  const running = runIfMain(module, process, (options, dependencies) => {
    const service = createBackupService(options, dependencies)
    // It never answers
    const list = async (): Promise<never> => await new Promise(() => {})
    process.signals.emit('SIGINT')
    process.signals.emit('SIGTERM')
    return { ...service, list }
  })
  t.equal(await process.exited, 130)
  await running
})

t.test('a backup is created by the user of the process, if it has a name', async (t) => {
  const module = import.meta.url
  const os = await import('node:os')
  const { syncBuiltinESMExports } = await import('node:module')
  const { default: mutable } = os
  const { userInfo } = mutable
  t.teardown(() => {
    mutable.userInfo = userInfo
    syncBuiltinESMExports()
  })
  const place = await usePlace(t)
  const create = async (read: () => object): Promise<Backup> => {
    Object.assign(mutable, { userInfo: read })
    syncBuiltinESMExports()
    const stdout = capture()
    const process = fakeProcess(fileURLToPath(module), ['create'], stdout.stream, environmentOf(place))
    await runIfMain(module, process, createBackupService)
    t.equal(await process.exited, 0, process.stderrText())
    return JSON.parse(stdout.text()) as Backup
  }
  t.equal((await create(() => ({ username: 'grace' }))).createdBy, 'grace')
  t.equal((await create(() => { throw new Error('ENOENT') })).createdBy, null)
})
