import { readFile, writeFile } from 'node:fs/promises'
import { formatCells, headings } from './cells.js'
/** @import { Report } from './report.js' */

/** @param {Report} report */
export async function writeMarkdown ({ date, machine, rows, rounds, databaseBytes, leftOut, results }) {
  const targets = results.filter(({ target }) => target !== null)
  const others = results.filter(({ target }) => target === null)
  const findings = await readFile(new URL('../findings.md', import.meta.url), 'utf8')
  const reached = targets.filter((result) => result.reached).length

  await writeFile(new URL('../RESULTS.md', import.meta.url), `# Results of \`npm run bench\`

Written by the benchmark on ${date}. Absolute numbers mean little on a machine that others use too: what counts is the ratio. All
contenders take turns in each of ${rounds} rounds, ours in a fresh process each time, peers as processes of their own on the same TCP
connection; a ratio is the median of the ratios within the rounds, and less is better.

${toTable(['', ''], Object.entries({ ...machine, Rows: `${rows} narrow ones, and wide, large and binary ones beside them`, Database: `${(databaseBytes / 1e6).toFixed(0)} MB`, Rounds: String(rounds) }))}

## Targets: ${reached} of ${targets.length} reached

${toTable(headings, targets.map(formatCells))}

## Without a target

${others.length === 0 ? 'None.' : toTable(headings, others.map(formatCells))}
${leftOut.map((sentence) => `\n${sentence}\n`).join('')}
## How it is measured

- The embedded server runs with fsync and full-page writes, as in production, but without autovacuum and with checkpoints only
  between the runs, so that they hit nobody by chance.
- restore is \`phases.loadMs\` of its result: TRUNCATE, the rows, foreign keys and COMMIT; not the reading of the snapshot before, and not the
  pre_restore snapshot, neither of which pg_restore does. 2,000 tables are not restored.
- Memory is the highest RSS of the process less the RSS before the run, with the app ready; 1 MB is 1,000,000 bytes.
- The event-loop delay is that of \`perf_hooks.monitorEventLoopDelay\` with a resolution of 1 ms, which itself is part of the value.
- Requests go to a trivial route at a third of the rate that it serves to the generator alone, and are sent whether or not earlier
  ones have been answered.

${findings}`)
}

/**
 * @param {string[]} headings
 * @param {string[][]} rows
 */
function toTable (headings, rows) {
  return [headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
