import { writeFile } from 'node:fs/promises'
/** @import { Report } from './report.js' */
/** @import { Result } from '../result.js' */

const width = 860
const rowHeight = 44
const top = 46
const left = 16
const right = 150
/** The ratio at the right end of the scale; longer bars are cut. */
const longest = 1.5

/**
 * Draws the wall times as bars, each beside the time of its peer, which is the same length in all rows.
 * @param {Report} report
 */
export async function writeChart (report) {
  await writeFile(new URL('../../docs/benchmark.svg', import.meta.url), drawChart(report))
}

/**
 * @param {Report} report
 * @returns {string} SVG, for a light and a dark background
 */
export function drawChart ({ date, machine, results }) {
  const rows = results.filter(({ unit, ratio }) => unit === 's' && ratio !== null)
  const height = top + rows.length * rowHeight + 30
  const scale = (/** @type {number} */ ratio) => Math.round(ratio / longest * (width - left - right))
  const one = left + scale(1)
  const where = `${machine.CPU}; PostgreSQL ${machine.PostgreSQL}; ${date}`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"
  role="img" aria-label="Wall times of fastify-backup compared with other programs">
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2624 }
  .title { font-weight: 600; font-size: 15px }
  .hint { fill: #5b6662; font-size: 12px }
  .peer { fill: #d5dad8 }
  .shorter { fill: #2f6f54 }
  .longer { fill: #9a5b00 }
  line { stroke: #5b6662; stroke-dasharray: 3 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6ebe9 }
    .hint { fill: #a3afab }
    .peer { fill: #39423f }
    .shorter { fill: #6fae91 }
    .longer { fill: #d99a3d }
    line { stroke: #a3afab }
  }
</style>
<text class="title" x="${left}" y="20">Wall time, as a multiple of the other program's: shorter is better</text>
${rows.map((result, index) => drawRow(result, top + index * rowHeight, scale)).join('\n')}
<line x1="${one}" x2="${one}" y1="${top - 8}" y2="${height - 26}" />
<text class="hint" x="${left}" y="${height - 8}">${escape(where)}</text>
</svg>
`
}

/**
 * @param {Result} result
 * @param {number} y
 * @param {(ratio: number) => number} scale
 */
function drawRow ({ metric, ratio, against }, y, scale) {
  const value = Number(ratio)
  const length = scale(Math.min(value, longest))
  const label = `${metric.replace(', wall time', '')} / ${against}`
  return `<text x="${left}" y="${y + 12}">${escape(label)}</text>
<rect class="peer" x="${left}" y="${y + 18}" width="${scale(1)}" height="14" rx="2" />
<rect class="${value <= 1 ? 'shorter' : 'longer'}" x="${left}" y="${y + 18}" width="${length}" height="14" rx="2" />
<text x="${left + Math.max(length, scale(1)) + 8}" y="${y + 30}">${value.toFixed(2)}</text>`
}

/** @param {string} text */
const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
