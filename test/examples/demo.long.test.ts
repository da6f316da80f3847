import { chmod, readdir } from 'node:fs/promises'
import t, { type Test } from 'tap'
import type { Backup } from '../../types/index.ts'
import { useDirectory } from '../support/directory.ts'
import { startExample } from './start-example.ts'

// Each run starts its own server and fills it, which is slow on a small machine
t.setTimeout(300_000)

/** A directory for the files of the demo. The operating system user of the server must be able to access it. */
async function useTemporaryDirectory (t: Test): Promise<string> {
  const directory = await useDirectory(t)
  await chmod(directory, 0o755)
  return directory
}

const proof = 'The data is back: the restore is proved by the hash of every table.'

t.test('npm run demo -- --once exits after the proof and removes its files', async (t) => {
  const directory = await useTemporaryDirectory(t)
  const demo = startExample(t, 'demo.js', { args: ['--once'], cwd: directory, env: { TMPDIR: directory } })

  t.equal(await demo.ended, 0)
  const output = demo.output()
  for (const line of [
    /10 tables, 50,244 rows/,
    /GET \/admin\/backup → 401/,
    /POST \/admin\/backup → 201 \/admin\/backup\/[0-9a-f-]{36}\n/,
    /9 tables, 42,244 rows/,
    /manual, completed, by demo: before the clean-up/,
    /\| \{"manifest":\{"version":1,/,
    /customers 4,500 → 4,000, inventory 0 → 3,600/,
    /untouched: audit_logs, backup_logs; drift: none/,
    /\n {4}audit_logs +23,802 +([0-9a-f]{8}) +(?!\1)([0-9a-f]{8}) +\2 +kept as it is\n/,
    /\n {4}orders +8,000 +([0-9a-f]{8}) +(?!\1)[0-9a-f]{8} +\1 +as before\n/,
    /12,600 deleted/
  ]) t.match(output, line)
  t.match(output, proof)
  t.notMatch(output, /DIFFERENT|✗|Bearer [\w-]{20}|"level":/)
  // eslint-disable-next-line no-control-regex -- the escape of a colour
  t.notMatch(output, /\u001b/, 'no colours, since the output is not a terminal')
  t.same(await readdir(directory), [])
})

t.test('npm run demo keeps running until Ctrl-C and then exits with 0', async (t) => {
  const directory = await useTemporaryDirectory(t)
  const demo = startExample(t, 'demo.js', { cwd: directory, env: { TMPDIR: directory } })
  await demo.prints('until Ctrl-C')
  await demo.prints('/restore\n')
  t.match(demo.output(), proof)

  const [, token = '', url = ''] = /-H "Authorization: Bearer ([\w-]+)" (http\S+)\n/.exec(demo.output()) ?? []
  const headers = { authorization: `Bearer ${token}` }
  t.equal((await fetch(url)).status, 401)
  t.equal((await fetch(url, { headers })).status, 200)
  t.match(await (await fetch(new URL('/', url))).json(), {
    customers: 4000, orders: 8000, reviews: 3000, revenue: /^\d+\.\d\d$/
  })
  const page = /the admin page +(http\S+)\n/.exec(demo.output())?.[1] ?? ''
  t.match(await (await fetch(page)).text(), '<title>Shop backups</title>')
  const listed: any = await (await fetch(url, { headers })).json()
  const history = (listed.backups as Backup[]).filter(({ trigger }) => trigger === 'scheduled')
  t.strictSame(
    [history, history.filter(({ status }) => status === 'failed'), history.filter(({ suspect }) => suspect !== null),
      history.filter(({ pinned }) => pinned)].map(({ length }) => length),
    [30, 1, 1, 1]
  )
  const restore = /-X POST (http\S+\/restore)\n/.exec(demo.output())?.[1] ?? ''
  t.equal((await fetch(restore, { method: 'POST', headers })).status, 200, 'the printed command for a restore works')

  demo.kill('SIGINT')
  demo.kill('SIGINT')
  t.equal(await demo.ended, 0)
  t.match(demo.output(), 'Stopped.')
  await t.rejects(fetch(url), { cause: { code: 'ECONNREFUSED' } })
  t.same(await readdir(directory), [])
})

t.test('an interrupted demo prints no proof and removes its files', async (t) => {
  const directory = await useTemporaryDirectory(t)
  const demo = startExample(t, 'demo.js', { args: ['--once'], cwd: directory, env: { TMPDIR: directory } })
  await demo.prints('A real PostgreSQL starts')
  demo.kill('SIGTERM')
  t.equal(await demo.ended, 128 + 15)
  t.notMatch(demo.output(), proof)
  t.same(await readdir(directory), [])
})

t.test('a failed demo has an exit code other than 0', async (t) => {
  const directory = await useDirectory(t)
  const demo = startExample(t, 'demo.js', { args: ['--once'], cwd: directory, env: { TMPDIR: `${directory}/missing` } })
  t.equal(await demo.ended, 1)
  t.match(demo.output(), 'ENOENT')

  const misspelt = startExample(t, 'demo.js', { args: ['--onec'], cwd: directory })
  t.equal(await misspelt.ended, 2)
  t.match(misspelt.output(), 'Usage:')
})
