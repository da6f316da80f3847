import { rm } from 'node:fs/promises'
import { relatedKeys, relatedTables } from '../data/schemas.js'
import { timeInserts, timePgRestore } from '../peers/loads.js'
import { runRounds } from '../rounds.js'
/** @import { Bench, Scenario } from '../bench.js' */
/** @import { Result } from '../result.js' */
/** @import { Peer } from '../rounds.js' */

/** @type {Scenario} */
export const restore = {
  name: 'restore',
  schema: 'bare',
  run: (bench) => compare(bench, {
    scenario: 'restore',
    schema: 'bare',
    tables: 'tables without keys and indexes',
    target: 0.75,
    hasInserts: true
  })
}

/** @type {Scenario} */
export const restoreConstrained = {
  name: 'restore-constrained',
  schema: 'constrained',
  run: (bench) => compare(bench, {
    scenario: 'restore-constrained',
    schema: 'constrained',
    tables: 'two foreign keys and three indexes per table',
    target: 0.5,
    hasInserts: false
  })
}

/**
 * A complete restore of many small tables: here the checks and the pre_restore snapshot count, because they take most
 * of its time.
 * @type {Scenario}
 */
export const restoreRelated = {
  name: 'restore-related',
  schema: 'related',
  async run (bench) {
    const { result: snapshot } = await bench.withService('related', (service) => service.create())
    const dump = bench.pathOf('related.dump')
    if (bench.hasPgPrograms) await bench.runPgProgram('pg_dump', ['-Fc', '-a', '-n', 'related', '-f', dump])
    const results = await runRounds(bench, {
      scenario: 'restore-related',
      metric: `restore of ${relatedTables} small tables with ${relatedKeys} foreign keys, all phases`,
      async ours () {
        const { result } = await bench.withService('related', (service) => service.restore(snapshot.id))
        return result.durationMs / 1000
      },
      peers: bench.hasPgPrograms
        ? [{
            name: 'TRUNCATE, pg_restore -a --disable-triggers',
            target: 2,
            run: () => timePgRestore(bench, { schema: 'related', dump, options: ['--disable-triggers'] })
          }]
        : []
    })
    await rm(dump, { force: true })
    return results
  }
}

/**
 * Compares the load phase only: the peers do not check the file first, and do not back up the rows that they replace.
 * @param {Bench} bench
 * @param {{ scenario: string, schema: string, tables: string, target: number, hasInserts: boolean }} options
 * @returns {Promise<Result[]>}
 */
async function compare (bench, { scenario, schema, tables, target, hasInserts }) {
  const { result: snapshot } = await bench.withService(schema, (service) => service.create())
  const dump = bench.pathOf('restore.dump')
  if (bench.hasPgPrograms) await bench.runPgProgram('pg_dump', ['-Fc', '-a', '-n', schema, '-f', dump])

  /** @type {Peer[]} */
  const peers = []
  if (bench.hasPgPrograms) {
    peers.push({
      name: 'TRUNCATE, pg_restore -a -1',
      target,
      run: () => timePgRestore(bench, { schema, dump, options: ['-1'] })
    })
  }
  if (hasInserts) {
    peers.push({
      name: 'TRUNCATE, 500-row INSERTs by json_populate_recordset',
      run: () => timeInserts(bench, schema, bench.snapshotPath(snapshot.filename))
    })
  }

  const results = await runRounds(bench, {
    scenario,
    metric: `restore, load phase, ${tables}`,
    async ours () {
      const { result } = await bench.withService(schema, (service) => service.restore(snapshot.id))
      return result.phases.loadMs / 1000
    },
    peers
  })
  await rm(dump, { force: true })
  return results
}
