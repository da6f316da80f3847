import stringWidth from 'fast-string-width'
import { printable } from './printable.ts'
import type { Style } from './style.ts'

export interface Column {
  title: string
  align?: 'left' | 'right'
  /**
   * On a narrow terminal, the column with the highest number is left out first, and an empty one on every terminal.
   * With 0, only an empty column is left out. Columns without a number always stay.
   */
  drop?: number
  /** May be shortened, with an ellipsis, to this width. */
  shrinkTo?: number
  color?: (cell: string) => Parameters<Style>[0] | undefined
}

const gap = 2

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** The first characters that fit into `width` columns, with an ellipsis if any are missing. */
export function shorten (text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  let shown = ''
  let used = 1
  for (const { segment } of graphemes.segment(text)) {
    used += stringWidth(segment)
    if (used > width) break
    shown += segment
  }
  return width < 1 ? '' : `${shown}…`
}

function pad (text: string, width: number, align: Column['align']): string {
  const spaces = ' '.repeat(Math.max(0, width - stringWidth(text)))
  return align === 'right' ? spaces + text : text + spaces
}

interface SizedColumn { column: Column, cells: string[], width: number }

const totalOf = (widths: number[]): number =>
  widths.reduce((sum, width) => sum + width, gap * Math.max(0, widths.length - 1))

const dropOf = ({ column }: SizedColumn): number => column.drop ?? -1

/** Columns that may be left out are shortened before others are left out. */
const leastWidth = ({ column, width }: SizedColumn): number =>
  column.drop === undefined ? width : Math.min(width, column.shrinkTo ?? width)

/** Leaves out columns, then shortens those that are the least important and the widest, until the table fits. */
function fit (columns: SizedColumn[], width: number): SizedColumn[] {
  let kept = columns
  while (totalOf(kept.map(leastWidth)) > width) {
    const last = Math.max(...kept.map(dropOf))
    if (last < 1) break
    kept = kept.filter((sized) => dropOf(sized) !== last)
  }
  const canShrink = (sized: SizedColumn): boolean => sized.width > (sized.column.shrinkTo ?? Infinity)
  while (totalOf(kept.map((sized) => sized.width)) > width) {
    const [first] = kept.filter(canShrink).sort((a, b) => dropOf(b) - dropOf(a) || b.width - a.width)
    if (first === undefined) break
    first.width--
  }
  return kept
}

/** A table in which nothing but its own colors can act on the terminal. */
export function renderTable (columns: Column[], rows: string[][], width: number, style: Style): string {
  const sized = columns.map((column, index) => {
    const cells = rows.map((row) => printable(row[index] ?? ''))
    return { column, cells, width: Math.max(...[column.title, ...cells].map((cell) => stringWidth(cell))) }
  })
  const kept = fit(sized.filter(({ column, cells }) => column.drop === undefined || cells.some(Boolean)), width)
  const line = (cellOf: (sized: SizedColumn) => string, isHead: boolean): string => kept.map((sized) => {
    const { column, width } = sized
    const cell = cellOf(sized)
    const color = isHead ? 'bold' : column.color?.(cell)
    const text = pad(shorten(cell, width), width, column.align)
    return color === undefined ? text : style(color, text)
  }).join(' '.repeat(gap)).trimEnd()
  return [
    line(({ column }) => column.title, true),
    ...rows.map((_, index) => line(({ cells }) => String(cells[index]), false))
  ].join('\n')
}

/** One name and value on each line. Values without content are left out. */
export function renderRecord (entries: Array<[string, string | null]>, style: Style): string {
  const shown = entries.filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== '')
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${style('dim', name.padEnd(width))}  ${printable(value)}`).join('\n')
}
