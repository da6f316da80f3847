import stringWidth from 'fast-string-width'
import type { Progress } from '../../types/index.ts'
import { formatBytes, formatCount, formatDuration } from './format-values.ts'
import type { Output } from './host.ts'
import { printable } from './printable.ts'
import type { Style } from './style.ts'
import { shorten } from './table.ts'

/** Milliseconds between two drawings. */
const drawMs = 100

/** Milliseconds after which a rate, and the time left, are not mere noise. */
const settledMs = 2000

const barWidth = 16
const leastName = 8

/** Erases from the cursor to the end of the line (ECMA-48, 8.3.41). */
const clearToEnd = '\u001b[K'

/** What a phase is called while it runs. */
const phaseNames: Record<string, string> = {
  snapshot: 'backing up', verify: 'verifying', load: 'loading', count: 'counting'
}

/** Whole seconds: `9 s`, `3 min 20 s`. */
const formatSeconds = (ms: number): string => formatDuration(Math.max(1, Math.ceil(ms / 1000)) * 1000).replace('.0', '')

/** Not every terminal has block characters: a console without a UTF-8 locale, for example. */
export const hasUnicode = ({ LC_ALL, LC_CTYPE, LANG, WT_SESSION }: NodeJS.ProcessEnv): boolean =>
  WT_SESSION !== undefined || /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '')

function drawBar (percent: number, unicode: boolean): string {
  const filled = Math.round(barWidth * percent / 100)
  const [full, empty] = unicode ? ['█', '░'] : ['#', '-']
  return full.repeat(filled) + empty.repeat(barWidth - filled)
}

/**
 * The line of a progress, at most `width` columns wide: on a narrow terminal the least important parts are left out.
 * @param bytesPerSecond null while it is not known
 */
export function renderProgress (
  progress: Progress, bytesPerSecond: number | null, { width, unicode, style }: {
    width: number, unicode: boolean, style: Style
  }
): string {
  const { phase, table, rows, bytes, percent, etaMs, tables, tablesDone } = progress
  const readsFile = phase !== 'count'
  // Padded, so that the parts keep their places while their values change
  const parts: Array<{ text: string, drop: number, color?: 'cyan' | 'dim' }> = [
    { text: (phaseNames[phase] ?? printable(phase)).padEnd(10), drop: 0 },
    ...percent === null
      ? []
      : [
          { text: drawBar(percent, unicode), drop: 3, color: 'cyan' as const },
          { text: `${percent}%`.padStart(3), drop: 0 }
        ],
    ...readsFile ? [{ text: formatBytes(bytes).padStart(9), drop: 1 }] : [],
    ...readsFile && bytesPerSecond !== null
      ? [{ text: `${formatBytes(bytesPerSecond)}/s`.padStart(11), drop: 2 }]
      : [],
    ...percent === null || !readsFile ? [{ text: `${formatCount(rows)} rows`, drop: 2 }] : [],
    ...etaMs === null ? [] : [{ text: `${formatSeconds(etaMs)} left`, drop: 0 }],
    { text: `${Math.min(tablesDone + 1, tables)}/${tables}`, drop: 4, color: 'dim' }
  ]
  const total = (): number => parts.reduce((sum, { text }) => sum + stringWidth(text) + 2, -2)
  for (let drop = 4; drop > 0; drop--) {
    if (total() > width) parts.splice(0, parts.length, ...parts.filter((part) => part.drop !== drop))
  }
  const left = width - total() - 2
  const name = table === null || left < leastName ? '' : `  ${shorten(printable(table), left)}`
  return parts.map(({ text, color }) => color === undefined ? text : style(color, text)).join('  ') + name
}

export interface ProgressBar {
  update: (progress: Progress) => void
  /** Removes the line until the next update. */
  clear: () => void
}

/** A line at the bottom of a terminal. */
export function createProgressBar (
  output: Output, style: Style, unicode: boolean, now: () => number = () => performance.now()
): ProgressBar {
  let nextDraw = 0
  let isShown = false
  let phase: { name: string, startedAt: number, bytes: number } | undefined
  let startedAt: number | undefined

  return {
    update (progress) {
      const time = now()
      startedAt ??= time
      if (phase?.name !== progress.phase) phase = { name: progress.phase, startedAt: time, bytes: progress.bytes }
      if (time < nextDraw) return
      nextDraw = time + drawMs
      const elapsedMs = time - phase.startedAt
      const rate = elapsedMs < settledMs ? null : Math.round((progress.bytes - phase.bytes) * 1000 / elapsedMs)
      // A line of the full width would wrap
      const width = (output.columns || 80) - 1
      const etaMs = time - startedAt < settledMs ? null : progress.etaMs
      // In one piece, so that no half of a line is ever seen
      output.write(`\r${renderProgress({ ...progress, etaMs }, rate, { width, unicode, style })}${clearToEnd}`)
      isShown = true
    },
    clear () {
      if (!isShown) return
      output.write(`\r${clearToEnd}`)
      isShown = false
    }
  }
}
