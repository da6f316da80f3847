import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { EventSource } from 'eventsource'
import t, { type Test } from 'tap'
import type { Backup } from '../../types/index.ts'
import { useDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { projectRoot } from '../support/project-root.js'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'
import { eventsIn, followEvents, type ReceivedEvent } from './follow-events.ts'
import { type RunningService, startService } from './start-service.ts'

// Two processes of the service of examples/service, on one database and one storage

t.setTimeout(300_000)

const readme = readFileSync(new URL('README.md', projectRoot), 'utf8')
const path = '/admin/backup/events'

/** The second replica has the database behind a proxy. */
async function useReplicas (t: Test) {
  const { url, sql } = await useDatabase(t, { schema: 'public' })
  await sql`CREATE TABLE orders (id int PRIMARY KEY, total numeric, note text)`
  await sql`INSERT INTO orders SELECT i, i * 1.10, repeat('x', 1000) FROM generate_series(1, 20000) i`
  const directory = await useDirectory(t)
  const proxy = await useTcpProxy(t, url)
  const [one, two] = await Promise.all([
    startService(t, { url, directory }), startService(t, { url: proxy.url, directory })
  ])
  return { sql, proxy, one, two, token: (await two.logIn('ada')).token }
}

interface Progress { rows: number, percent: number | null }

const progressOf = ({ data }: ReceivedEvent): Progress => data.progress as Progress

const isProgress = ({ name }: ReceivedEvent): boolean => name.endsWith(':progress')

const namesAndIds = (events: ReceivedEvent[]): Array<[string, string]> =>
  events.filter((event) => !isProgress(event)).map(({ name, data }) => [name, data.id])

/** Creates and restores on a replica. Its rows trickle until `sees` says that the progress was seen. */
async function createAndRestore (
  t: Test, { proxy, two, token }: Awaited<ReturnType<typeof useReplicas>>, sees: (name: string) => boolean
): Promise<Array<[string, string]>> {
  const post = async (path: string): Promise<unknown> => {
    const response = await two.call(path, { method: 'POST', headers: token })
    t.ok(response.ok)
    return await response.json()
  }
  proxy.trickle()
  const creating = post('')
  await until(() => sees('backup:progress'))
  proxy.go()
  const { id } = await creating as Backup
  proxy.trickle()
  const restoring = post(`/${id}/restore`)
  await until(() => sees('restore:progress'))
  proxy.go()
  await restoring
  return [['backup:started', id], ['backup:completed', id], ['restore:started', id], ['restore:completed', id]]
}

t.test('a stream on one replica has the events of another once each and in order, and its progress', async (t) => {
  const replicas = await useReplicas(t)
  const { one, two, token } = replicas
  const stream = await followEvents(one.origin + path, token)
  const expected = await createAndRestore(t, replicas, (name) => stream.events().some((event) => event.name === name))
  await until(() => namesAndIds(stream.events()).length >= expected.length)
  // What comes twice comes before the events of a later run
  const { id } = await (await two.call('', { method: 'POST', headers: token })).json() as Backup
  await stream.receives('backup:completed', id)
  t.strictSame(namesAndIds(stream.events()), [...expected, ['backup:started', id], ['backup:completed', id]])

  for (const run of ['backup', 'restore']) {
    const events = stream.events().filter(({ name, data }) => name.startsWith(run) && data.id === expected[0]?.[1])
    t.equal(events[0]?.name, `${run}:started`)
    t.equal(events.at(-1)?.name, `${run}:completed`)
    const reports = events.filter(isProgress).map(progressOf)
    t.ok(reports.length > 0)
    const percents = reports.map(({ percent }) => Number(percent))
    t.strictSame(percents, percents.toSorted((a, b) => a - b))
    t.equal(new Set(reports.map((report) => JSON.stringify(report))).size, reports.length, 'each report once')
  }
})

interface Surroundings { fetch: typeof fetch, EventSource: typeof EventSource, console: Pick<Console, 'log' | 'error'> }

/** The function of the README for pages with a bearer token, with what is around it there. */
async function followAsInReadme ({ fetch, EventSource, console }: Surroundings, token: string): Promise<EventSource> {
  const code = /^function followBackups .*?^}$/ms.exec(readme)?.[0] ?? ''
  const module = `export const create = (fetch, EventSource, console) => { ${code}; return followBackups }`
  const { create } = await import(`data:text/javascript,${encodeURIComponent(module)}`)
  return create(fetch, EventSource, console)(token)
}

const followedNames = ['backup:started', 'backup:progress', 'backup:completed', 'restore:started', 'restore:progress',
  'restore:completed']

t.test('the browser code of the README misses nothing when its connection is lost', async (t) => {
  const replicas = await useReplicas(t)
  const { one, token } = replicas
  const requests: Headers[] = []
  let loseConnection = (): void => {}
  const logged: unknown[] = []
  const refused: unknown[] = []
  const source = await followAsInReadme({
    EventSource,
    async fetch (url, init) {
      requests.push(new Headers(init?.headers))
      const { body, ...response } = await fetch(new URL(new URL(String(url)).pathname, one.origin), init)
        .then(({ body, status, headers }) => ({ body, status, headers }))
      const connection = new TransformStream<Uint8Array, Uint8Array>({
        start (controller) { loseConnection = () => { controller.error(new TypeError('the connection was lost')) } }
      })
      return new Response(body?.pipeThrough(connection), response)
    },
    console: {
      log: (data) => { logged.push(data) },
      error (...refusal) { if (refusal[0] !== undefined) refused.push(refusal) }
    }
  }, String(token.authorization).slice('Bearer '.length))
  t.after(() => { source.close() })
  const events: ReceivedEvent[] = []
  for (const name of followedNames) {
    source.addEventListener(name, ({ data }) => { events.push({ id: '', name, data: JSON.parse(data) }) })
  }

  const cut = new Set<string>()
  await until(() => source.readyState === source.OPEN || refused.length > 0)
  t.strictSame(refused, [])
  const expected = await createAndRestore(t, replicas, (name) => {
    const isSeen = events.some((event) => event.name === name)
    // In the middle of each run
    if (isSeen && !cut.has(name)) {
      cut.add(name)
      loseConnection()
    }
    return isSeen
  })
  const different = (): Array<[string, string]> => namesAndIds(events)
    .filter(([name], index, all) => all.findIndex((other) => other[0] === name) === index)
  await until(() => different().length >= expected.length)
  t.strictSame(different(), expected)
  t.equal(requests.length, 3)
  t.strictSame(requests.map((headers) => /^\d+$/.test(String(headers.get('last-event-id')))), [false, true, true])
  t.equal((logged[0] as Backup).id, expected[0]?.[1], 'it logs completed backups')
})

const hasCurl = spawnSync('curl', ['--version']).status === 0

t.test('the curl command of the README prints each event as it happens, until the service ends', {
  skip: hasCurl && process.platform !== 'win32' ? false : 'there is no curl'
}, async (t) => {
  const { one, two, token } = await useReplicas(t)
  const command = /^curl -N .*$/m.exec(readme)?.[0] ?? ''
  const curl = spawn('sh', ['-c', command], {
    env: { ...process.env, AUTH: `Authorization: ${token.authorization}`, BASE: `${one.origin}/admin/backup` },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let printed = ''
  curl.stdout.setEncoding('utf8').on('data', (chunk: string) => { printed += chunk })
  const ended = once(curl, 'close')
  await Promise.race([until(() => printed.includes('\nid: ')), ended])
  t.match(printed, '\nid: ')
  const { id } = await (await two.call('', { method: 'POST', headers: token })).json() as Backup
  await until(() => printed.includes('event: backup:completed'))
  await stop(t, one)
  t.strictSame(await ended, [0, null])
  t.strictSame(namesAndIds(eventsIn(printed)), [['backup:started', id], ['backup:completed', id]])
})

async function stop (t: Test, service: RunningService): Promise<void> {
  service.kill('SIGTERM')
  t.equal(await service.ended, 0)
}
