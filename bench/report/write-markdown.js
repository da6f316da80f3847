import { readFile, writeFile } from 'node:fs/promises'
import { formatCells, headings } from './cells.js'
/** @import { Report } from './report.js' */

/** @param {Report} report */
export async function writeMarkdown ({ date, machine, rows, rounds, databaseBytes, leftOut, results }) {
  const targets = results.filter(({ target }) => target !== null)
  const others = results.filter(({ target }) => target === null)
  const findings = await readFile(new URL('../findings.md', import.meta.url), 'utf8')
  const reached = targets.filter((result) => result.reached).length
  const environment = {
    ...machine,
    Rows: `${rows} in the narrow table; the other tables have wide, large and binary rows`,
    Database: `${(databaseBytes / 1e6).toFixed(0)} MB`,
    Rounds: String(rounds)
  }

  await writeFile(new URL('../RESULTS.md', import.meta.url), `# Results of \`npm run bench\`

The benchmark wrote this file on ${date}. On a machine that runs other programs too, compare the ratios and not the
absolute values. Each round measures fastify-backup, in a new process, and then each peer, all over TCP. A ratio is the
median of the ratios of the rounds; lower is better.

${toTable(['', ''], Object.entries(environment))}

## Targets: ${reached} of ${targets.length} reached

${toTable(headings, targets.map(formatCells))}

## Without a target

${others.length === 0 ? 'None.' : toTable(headings, others.map(formatCells))}
${leftOut.map((sentence) => `\n${sentence}\n`).join('')}
## How it is measured

- The embedded server runs with fsync and full-page writes, as in production, but without autovacuum, and with
  checkpoints only between the runs. Otherwise either could slow one of the compared programs and not the other.
- The value of a restore is \`phases.loadMs\` of its result: TRUNCATE, the rows, foreign keys and COMMIT. It includes
  neither the check of the snapshot nor the pre_restore snapshot, because pg_restore has no equivalent of them. Only
  the restore of many small tables counts all phases. The benchmark does not restore the 2,000 tables.
- \`verify\` reads the file in a new process and thread, and sha256sum reads the same file.
- Both downloads come from one process. Each round takes five pairs of them, after one of each that is not counted.
- Memory is the highest RSS of the process minus its RSS before the run, when the app is ready. 1 MB is 1,000,000
  bytes.
- The event-loop delay is that of \`perf_hooks.monitorEventLoopDelay\` with a resolution of 1 ms. The resolution is
  part of the value.
- The requests go to a trivial route, at a third of the rate that it serves when nothing else runs. The generator
  sends them whether or not earlier ones have been answered.

${findings}`)
}

/**
 * @param {string[]} headings
 * @param {string[][]} rows
 */
function toTable (headings, rows) {
  return [headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
