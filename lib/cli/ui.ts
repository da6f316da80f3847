import type { BackupLogger, Progress } from '../../types/index.ts'
import type { Host } from './host.ts'
import { askForText } from './ask-for-text.ts'
import { printable, safeJson } from './printable.ts'
import { createProgressBar, hasUnicode } from './progress-bar.ts'
import { createStyle, type Style } from './style.ts'

/** The options of every command that determine what is shown. */
export interface OutputOptions {
  /** Undefined: JSON unless stdout is a terminal. */
  json?: boolean | undefined
  /** Undefined: a bar if stderr is a terminal. True without a terminal: JSON lines. */
  progress?: boolean | undefined
}

export interface Ui {
  /** Whether stdout gets JSON. */
  isJson: boolean
  /** The columns of stdout. */
  width: number
  style: Style
  /** The style and the columns of stderr. */
  errorStyle: Style
  errorWidth: number
  /** Writes the result of the command: one JSON document, or what `render` returns. */
  result: (value: unknown, render: () => string) => void
  /** Like result(), for one of several values: JSON on one line. */
  line: (value: unknown, render: () => string) => void
  /** Writes for a person: to stderr, only if a person may read it. */
  note: (text: string) => void
  /** Writes to stderr what a person and a script must see. */
  warn: (text: string, details?: object) => void
  onProgress: (progress: Progress) => void
  /** Removes the progress bar. */
  endProgress: () => void
  /** Whether there is a terminal to ask on. */
  canAsk: boolean
  /** Asks on the terminal, with a printable question, until `expected` is typed. @throws Interrupted */
  confirm: (question: string, expected: string) => Promise<void>
  logger: BackupLogger
}

/** The log lines of a run. A command that makes one prints its outcome or its error itself. */
const ofRun = /^(?:backup|restore|import|verification|adoption of files) (?:started|completed|failed)$/

/** A logger without the lines of runs. */
export function withoutRuns (logger: BackupLogger): BackupLogger {
  const isShown = (message: string | undefined): boolean => message === undefined || !ofRun.test(message)
  return {
    ...logger,
    warn (details, message) { if (isShown(message)) logger.warn(details, message) },
    error (details, message) { if (isShown(message)) logger.error(details, message) }
  }
}

function createReport (
  { stderr, env }: Host, style: Style, progress: boolean | undefined
): { update: (progress: Progress) => void, clear: () => void } {
  const none = { update () {}, clear () {} }
  if (progress === false) return none
  if (stderr.isTTY === true && env.TERM !== 'dumb') return createProgressBar(stderr, style, hasUnicode(env))
  if (progress !== true) return none
  return { ...none, update (progress) { stderr.write(`${safeJson({ progress })}\n`) } }
}

export function createUi (host: Host, { json, progress }: OutputOptions): Ui {
  const { stdin, stdout, stderr, env } = host
  const isJson = json ?? stdout.isTTY !== true
  const style = createStyle(stdout, env)
  const errorStyle = createStyle(stderr, env)
  const report = createReport(host, errorStyle, progress)
  const toStderr = (text: string): void => {
    report.clear()
    stderr.write(`${text}\n`)
  }
  const toStdout = (text: string): void => {
    report.clear()
    stdout.write(`${text}\n`)
  }
  const warn = (text: string, details: object = {}): void => {
    if (json === true) toStderr(safeJson({ warning: { message: text, ...details } }))
    else toStderr(`${errorStyle('yellow', 'warning:')} ${printable(describeEntry(details, text))}`)
  }
  return {
    isJson,
    width: stdout.columns || 80,
    style,
    errorStyle,
    errorWidth: stderr.columns || 80,
    result (value, render) { toStdout(isJson ? safeJson(value, 2) : render()) },
    line (value, render) { toStdout(isJson ? safeJson(value) : render()) },
    note (text) { if (stderr.isTTY === true || !isJson) toStderr(text) },
    warn,
    onProgress: report.update,
    endProgress: report.clear,
    canAsk: stdin.isTTY === true && stderr.isTTY === true,
    async confirm (question, expected) {
      report.clear()
      await askForText(host, `${question} `, expected)
    },
    logger: createLogger(warn)
  }
}

function createLogger (warn: Ui['warn']): BackupLogger {
  const log: BackupLogger['warn'] = (details, message = '') => {
    if (typeof details === 'string') warn(details)
    else warn(message, details)
  }
  return { debug () {}, info () {}, warn: log, error: log }
}

/** A line of the service's log: its message, and its details as `name: value`. */
export function describeEntry (details: object, message: string): string {
  const given: Array<[string, unknown]> = Object.entries(details)
  const shown = given.map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return [message, shown.length === 0 ? '' : `(${shown.join(', ')})`].filter(Boolean).join(' ')
}
