import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { useEngine, usePlace } from '../support/engine.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { expectedOutcome, outcome, untilConsistent } from './invariants.ts'
import { isLong } from './service-process.ts'

const stallMs = isLong ? 60_000 : 1000

// In parallel, because these tests mostly wait
t.jobs = 4

for (const worker of [true, false]) {
  for (const what of ['a backup', 'a restore']) {
    const where = worker ? 'in a worker' : 'on the main thread'
    t.test(`a stalled connection to the database delays ${what} ${where} and breaks nothing`, {
      timeout: 300_000, buffered: true
    }, async (t) => {
      const place = await usePlace(t)
      await place.sql`CREATE TABLE bulk AS
        SELECT i AS id, repeat('x', 1000) AS text FROM generate_series(1, 30000) AS i`
      const proxy = await useTcpProxy(t, place.url)
      const engine = useEngine(t, { ...place, url: proxy.url }, { worker })
      const { id } = await engine.create()

      const moment = new Promise<void>((resolve) => {
        engine.once(what === 'a backup' ? 'backup:progress' : 'restore:progress', () => { resolve() })
      })
      const ending = outcome(what === 'a backup' ? engine.create() : engine.restore(id), stallMs + 60_000)
      await moment
      proxy.stall()
      const others = [
        engine.list(), engine.status(), engine.get(id)
      ].map(async (call) => await outcome(call, stallMs + 60_000))
      await delay(stallMs)
      proxy.go()

      for (const found of [await ending, ...await Promise.all(others)]) t.match(found, expectedOutcome)
      await engine.create()
      await untilConsistent(place)
      t.strictSame([...await place.sql`SELECT count(*)::int AS rows FROM bulk`], [{ rows: 30_000 }])
    })
  }
}
