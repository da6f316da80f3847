import { copyFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { useEngine, usePlace } from '../support/engine.ts'

t.test('the pin and note of a file whose name contains dots survive the log', async (t) => {
  for (const name of ['prod.2026-11.json', 'a.json.json', 'prod.sidecar-x.json']) {
    const place = await usePlace(t)
    const former = useEngine(t, place)
    const { id, filename } = await former.create()
    await copyFile(join(place.directory, filename), join(place.directory, name))
    await former.remove(id)
    const { adopted } = await former.rescan()
    t.strictSame(adopted.map((backup) => backup.filename), [name])
    await former.update(String(adopted[0]?.id), { pinned: true, note: 'legal hold' })
    await place.sql`DROP TABLE backup_logs`
    const engine = useEngine(t, place)
    const again = (await engine.rescan()).adopted
    t.equal(again.length, 1)
    t.match(again[0], { filename: name, pinned: true, note: 'legal hold' })
    t.strictSame(engine.lines.filter(({ msg }) => msg.includes('is not adopted')), [])
    await engine.remove(id)
    t.strictSame(await readdir(place.directory), [])
  }
})

t.test('a file whose name is too long for a sidecar is not adopted, and the reason is logged', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { filename } = await engine.create()
  const name = `${'a'.repeat(240)}.json`
  await copyFile(join(place.directory, filename), join(place.directory, name))
  t.strictSame((await engine.rescan()).adopted, [])
  t.match(engine.lines.find(({ msg }) => msg.includes('is not adopted')), { filename: name, reason: /rename it/ })
})

t.test('a change and a removal leave no older sidecar, however many versions were reserved since', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const other = await engine.create()
  await engine.update(other.id, { pinned: true })
  const { id, filename } = await engine.create()
  await engine.update(id, { pinned: true })
  const kept = await readdir(place.directory)
  // As after calls that prevented each other
  await place.sql`UPDATE backup_logs SET sidecar = 15`
  await engine.update(id, { note: 'kept' })
  const [before, after] = [1, 16].map((version) => filename.replace('.json', `.sidecar-${version}.json`))
  t.strictSame(await readdir(place.directory), kept.map((name) => name === before ? after : name).sort())
  await engine.remove(id)
  await engine.remove(other.id)
  t.strictSame(await readdir(place.directory), [])
})
