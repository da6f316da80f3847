import { mkdir, rm, writeFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import postgres from 'postgres'
import t from 'tap'
import { createRunner, defaultWorkers, entryBeside } from '../../lib/worker/create-runner.ts'
import {
  connectionOf, type LogLine, type TestEngine, useEngine, usePlace, linesBesidesRuns
} from '../support/engine.ts'
import { useDirectory } from '../support/directory.ts'
import { builtWorker, failingWorker } from '../support/worker.ts'

const warnings = (engine: TestEngine): LogLine[] => linesBesidesRuns(engine).filter(({ level }) => level >= 40)

/** A worker in which every run fails, so that a run that succeeds was in the main thread. */
const noWorker = failingWorker({ how: 'exit', at: 'onLocked' })

/** A socket as an application passes it to postgres.js for a tunnel. */
async function connectSocket (address: { host: string[], port: number[] }): Promise<Socket> {
  const { host: [host = ''], port: [port = 0] } = address
  const socket = new Socket()
  await new Promise<void>((resolve) => { socket.connect(port, host, resolve) })
  return socket
}

t.test('with a function for the socket, runs stay in the main thread, with one warning', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(
    t,
    place,
    { worker: true, connection: Object.assign(connectionOf(place.url), { socket: connectSocket }) },
    undefined,
    noWorker
  )
  const { id } = await engine.create()
  t.match(await engine.restore(id), { rowCount: 5 })
  t.equal(warnings(engine).length, 1)
  t.match(warnings(engine)[0], { level: 40, msg: /run in the main thread/, reason: /its socket, or one in ssl/ })
})

t.test('with a function in ssl, runs stay in the main thread', async (t) => {
  const sql = postgres({ max: 2, ssl: { checkServerIdentity: () => undefined } })
  const reasons: string[] = []
  const runner = createRunner(sql, true, { entry: builtWorker, smallRuns: null }, (reason) => { reasons.push(reason) })
  t.strictSame(
    reasons,
    ['the connection has a function that cannot be passed to another thread: its socket, or one in ssl']
  )
  await t.resolves(runner.close())
})

t.test('without the worker\'s file, as in a bundle, runs stay in the main thread', async (t) => {
  const sql = postgres({ max: 2 })
  const reasons: string[] = []
  const runner = createRunner(sql, true, { entry: undefined, smallRuns: null }, (reason) => { reasons.push(reason) })
  t.strictSame(reasons, ["the worker's file is missing, as in a bundle; keep fastify-backup out of the bundle"])
  const failure = new Error('of open')
  const hooks = { open: async () => { throw failure }, onProgress () {}, signal: new AbortController().signal }
  const thrown = await runner.readThrough(null, hooks).catch((error) => error)
  t.equal(thrown, failure, 'another thread would return a copy')
})

t.test('with worker: false, runs are in the main thread, without a warning', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { worker: false }, undefined, noWorker)
  const { id } = await engine.create()
  t.match(await engine.restore(id), { rowCount: 5 })
  t.strictSame(warnings(engine), [])
})

t.test('with worker: true, runs are in a worker if possible, without a warning', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { worker: true }, undefined, noWorker)
  await t.rejects(engine.create(), { code: 'FST_BACKUP_WORKER_FAILED' })
  t.strictSame(warnings(engine), [])
})

t.test('the worker\'s file is searched beside a module that is a file', async (t) => {
  const directory = join(await useDirectory(t), 'a b')
  const module = pathToFileURL(join(directory, 'create-runner.js')).href
  const file = join(directory, 'backup-worker.js')
  await mkdir(directory)
  t.equal(entryBeside(module), undefined)
  await writeFile(file, '')
  t.strictSame(entryBeside(module), pathToFileURL(file))
  await rm(file)
  t.equal(entryBeside(module), undefined)
  t.equal(entryBeside(undefined), undefined, 'a CommonJS bundle')
  t.equal(entryBeside('data:text/javascript,1'), undefined)
  t.strictSame(defaultWorkers().entry, builtWorker)
})
