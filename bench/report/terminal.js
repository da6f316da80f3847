import { formatCells, headings } from './cells.js'
/** @import { Report } from './report.js' */

/**
 * @param {Report} report
 * @returns {string}
 */
export function formatForTerminal ({ machine, rows, rounds, databaseBytes, leftOut, results }) {
  const table = [headings, ...results.map(formatCells)]
  const widths = headings.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)))
  return [
    Object.entries(machine).map(([name, value]) => `${name} ${value}`).join(' | '),
    `${rows} narrow rows, ${(databaseBytes / 1e6).toFixed(0)} MB in PostgreSQL, median of ${rounds} rounds`,
    '',
    ...table.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()),
    ...leftOut.map((sentence) => `\n${sentence}`)
  ].join('\n')
}
