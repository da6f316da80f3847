import { join } from 'node:path'
import { settle } from './database.js'
import { runPgProgram } from './pg-programs.js'
import { withService } from './service/with-service.js'
/** @import { Sql } from 'postgres' */
/** @import { Result } from './result.js' */
/** @import { ServiceOptions } from './service/service.js' */
/** @import { Service } from './service/with-service.js' */

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} schema with the tables to measure
 * @property {(bench: Bench) => Promise<Result[]>} run
 */

/** What each scenario is passed. @typedef {ReturnType<typeof createBench>} Bench */

/**
 * @param {object} options
 * @param {string} options.url of the benchmark's database
 * @param {Sql} options.sql
 * @param {number} options.rounds
 * @param {string} options.directory for snapshots and dumps
 * @param {boolean} options.hasPgPrograms whether pg_dump and pg_restore support the server's version
 * @param {AbortSignal} options.signal
 * @param {(line: string) => void} options.log
 */
export function createBench ({ url, sql, rounds, directory, hasPgPrograms, signal, log }) {
  const storagePath = join(directory, 'snapshots')

  return {
    url,
    sql,
    rounds,
    hasPgPrograms,
    signal,
    log,
    settle: () => settle(sql),

    /** @param {string} name */
    pathOf: (name) => join(directory, name),

    /** @param {string} filename of a snapshot */
    snapshotPath: (filename) => join(storagePath, filename),

    /**
     * @template T
     * @param {string} schema
     * @param {(service: Service) => Promise<T>} work
     * @param {Partial<Pick<ServiceOptions, 'worker' | 'connections' | 'compression' | 'maxBackups'>>} [options]
     */
    withService: (schema, work, options) => withService({ url, schema, storagePath, ...options }, signal, work),

    /**
     * @param {'pg_dump' | 'pg_restore'} program
     * @param {string[]} args
     */
    runPgProgram: (program, args) => runPgProgram(program, args, { url, signal })
  }
}
