import { tableNames } from '../data/tables.js'
import { timeCursor, timePgDump } from '../peers/dumps.js'
import { runRounds } from '../rounds.js'
/** @import { Bench, Scenario } from '../bench.js' */

/** @type {Scenario} */
export const create = {
  name: 'create',
  schema: 'bare',
  run: (bench) => runRounds(bench, {
    scenario: 'create',
    metric: 'create, wall time',
    ours: () => timeCreate(bench, 'bare'),
    peers: [
      ...bench.hasPgPrograms
        ? [
            { name: 'pg_dump -Fp -a', target: 0.85, run: () => timePgDump(bench, 'bare', 'p') },
            { name: 'pg_dump -Fc -a', target: 0.75, run: () => timePgDump(bench, 'bare', 'c') }
          ]
        : [],
      { name: 'cursor and JSON.stringify', target: 0.3, run: () => timeCursor(bench, 'bare', tableNames) }
    ]
  })
}

/** @type {Scenario} */
export const oneRow = {
  name: 'one-row',
  schema: 'one_row',
  async run (bench) {
    const results = []
    for (const worker of [true, false]) {
      const where = worker ? '' : ' with worker: false'
      results.push(...await runRounds(bench, {
        scenario: 'one-row',
        metric: `create of one row${where}, wall time`,
        ours: () => timeCreate(bench, 'one_row', { worker }),
        peers: bench.hasPgPrograms
          ? [{ name: 'pg_dump -Fp -a', target: 1, run: () => timePgDump(bench, 'one_row', 'p') }]
          : []
      }))
    }
    return results
  }
}

/** @type {Scenario} */
export const createByTwo = {
  name: 'create-by-two',
  schema: 'bare',
  run: (bench) => runRounds(bench, {
    scenario: 'create-by-two',
    metric: 'create with connections: 2, wall time',
    ours: () => timeCreate(bench, 'bare', { connections: 2 }),
    peers: [
      { name: 'connections: 1', target: 1, run: () => timeCreate(bench, 'bare') },
      ...bench.hasPgPrograms
        ? [{ name: 'pg_dump -Fp -a', target: 0.65, run: () => timePgDump(bench, 'bare', 'p') }]
        : []
    ]
  })
}

/** @type {Scenario} */
export const manyTables = {
  name: 'many-tables',
  schema: 'many_tables',
  run: (bench) => runRounds(bench, {
    scenario: 'many-tables',
    metric: 'create of 2,000 tables with 5 rows each, wall time',
    ours: () => timeCreate(bench, 'many_tables'),
    peers: bench.hasPgPrograms
      ? [{ name: 'pg_dump -Fp -a', target: 0.8, run: () => timePgDump(bench, 'many_tables', 'p') }]
      : []
  })
}

/**
 * Seconds that a create takes, without the removal of a snapshot: that of the peers' files is not counted either.
 * @param {Bench} bench
 * @param {string} schema
 * @param {{ worker?: boolean, connections?: number, compression?: 'gzip' | 'zstd' }} [options]
 */
export async function timeCreate (bench, schema, options) {
  return await bench.withService(schema, async (service) => {
    const { wallMs, result: { id } } = await service.create()
    await service.remove(id)
    return wallMs / 1000
  }, options)
}
