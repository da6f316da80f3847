import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
/** @import { Result } from '../result.js' */

/**
 * @typedef {object} Report
 * @property {string} date
 * @property {Record<string, string>} machine hardware and versions
 * @property {number} rows in the narrow table
 * @property {number} rounds
 * @property {number} databaseBytes
 * @property {string[]} leftOut one sentence for each part that could not be measured
 * @property {Result[]} results
 */

/**
 * @param {object} run
 * @param {string} run.server version of PostgreSQL
 * @param {boolean} run.isEmbedded
 * @param {string | undefined} run.pgDump version
 * @param {number} run.rows
 * @param {number} run.rounds
 * @param {number} run.databaseBytes
 * @param {string[]} run.leftOut
 * @param {Result[]} run.results
 * @returns {Report}
 */
export function createReport ({ server, isEmbedded, pgDump, ...run }) {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: {
      CPU: `${cpus()[0]?.model.trim()}, ${cpus().length} cores`,
      Memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
      System: `${process.platform} ${process.arch}`,
      'Node.js': process.versions.node,
      PostgreSQL: `${server}${isEmbedded ? ', embedded' : ''}`,
      pg_dump: pgDump ?? 'not on PATH',
      'fastify-backup': version
    },
    ...run
  }
}
