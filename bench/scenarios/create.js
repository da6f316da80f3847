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
            { name: 'pg_dump -Fp -a', target: 1, run: () => timePgDump(bench, 'bare', 'p') },
            { name: 'pg_dump -Fc -a', target: 0.75, run: () => timePgDump(bench, 'bare', 'c') }
          ]
        : [],
      { name: 'cursor and JSON.stringify', target: 0.33, run: () => timeCursor(bench, 'bare', tableNames) }
    ]
  })
}

/** @type {Scenario} */
export const createByTwo = {
  name: 'create-by-two',
  schema: 'bare',
  run: (bench) => runRounds(bench, {
    scenario: 'create-by-two',
    metric: 'create with connections: 2, wall time',
    ours: () => timeCreate(bench, 'bare', 2),
    peers: [
      { name: 'connections: 1', target: 1, run: () => timeCreate(bench, 'bare') },
      ...bench.hasPgPrograms
        ? [{ name: 'pg_dump -Fp -a', target: 1, run: () => timePgDump(bench, 'bare', 'p') }]
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
      ? [{ name: 'pg_dump -Fp -a', target: 1, run: () => timePgDump(bench, 'many_tables', 'p') }]
      : []
  })
}

/**
 * @param {Bench} bench
 * @param {string} schema
 * @param {number} [connections]
 */
async function timeCreate (bench, schema, connections) {
  const { wallMs } = await bench.withService(schema, (service) => service.create(), connections)
  return wallMs / 1000
}
