import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createTortureSchema } from '../restore/torture-schema.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { useEngine } from '../support/engine.ts'

t.test('without WebAssembly a snapshot of any values is the same', async (t) => {
  const place = { ...await useDatabase(t), directory: await useDirectory(t) }
  const [{ version = 0 } = {}] = await place.sql<Array<{ version: number }>>`
    SELECT current_setting('server_version_num')::int / 10000 AS version`
  await createTortureSchema(place.sql, testSchema, version)
  const engine = useEngine(t, place, { worker: false })
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly') as PropertyDescriptor
  t.after(() => { Object.defineProperty(globalThis, 'WebAssembly', own) })
  const data: string[] = []
  const rows: number[] = []
  for (const value of [own.value, undefined]) {
    Object.defineProperty(globalThis, 'WebAssembly', { ...own, value })
    const { filename, rowCount } = await engine.create()
    const file = await readFile(join(place.directory, filename ?? ''), 'utf8')
    data.push(file.slice(file.indexOf('\n"data":')))
    rows.push(rowCount ?? 0)
  }
  t.ok(data[0] === data[1], 'the rows are the same')
  t.equal(rows[0], rows[1])
  t.ok((rows[0] ?? 0) > 100)
})
