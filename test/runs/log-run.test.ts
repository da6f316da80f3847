import t from 'tap'
import { Aborted, Busy, ImportInterrupted, ShuttingDown } from '../../lib/errors.ts'
import { isLogged } from '../../lib/own-error.ts'
import type { Context } from '../../lib/runs/context.ts'
import { createRunLog, type RunLog } from '../../lib/runs/log-run.ts'

type Line = [level: string, details: Record<string, unknown>, message: string]

function useRunLog (level?: 'warn'): { runLog: RunLog, lines: Line[] } {
  const lines: Line[] = []
  const write = (name: string) => (details: Line[1], message: string): void => { lines.push([name, details, message]) }
  const logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  return { runLog: createRunLog({ logger: logger as unknown as Context['logger'] }, 'run', { id: 'a' }, level), lines }
}

t.test('a run has a line when it begins, one for each phase, and one when it ends', async (t) => {
  const { runLog, lines } = useRunLog('warn')
  runLog.begin({ by: 'ada' })
  runLog.begin()
  runLog.phase('load')
  runLog.end({ rows: 1, durationMs: 7 })
  runLog.end({ ok: false }, 'error')
  const durationMs = lines[3]?.[1].durationMs
  t.ok(Number.isInteger(durationMs))
  t.strictSame(lines, [
    ['warn', { id: 'a', by: 'ada' }, 'run started'],
    ['debug', { id: 'a', phase: 'load' }, 'run is in phase load'],
    ['warn', { id: 'a', rows: 1, durationMs: 7 }, 'run completed'],
    ['error', { id: 'a', ok: false, durationMs }, 'run completed']
  ])
})

t.test('a failure has code and public message; an end by the caller or a shutdown is a warning', async (t) => {
  const { runLog, lines } = useRunLog()
  const interruptions = [new Aborted('x'), new ShuttingDown(), new ImportInterrupted('x')]
  const failures = [new Busy('x'), ...interruptions, new Error('secret')]
  for (const failure of failures) runLog.fail(failure)
  t.strictSame(lines.map(([level, { code }, message]) => [level, code, message]), [
    ['error', 'FST_BACKUP_BUSY', 'run failed'],
    ['warn', 'FST_BACKUP_ABORTED', 'run failed'],
    ['warn', 'FST_BACKUP_SHUTTING_DOWN', 'run failed'],
    ['warn', 'FST_BACKUP_IMPORT_INTERRUPTED', 'run failed'],
    ['error', 'FST_BACKUP_UNEXPECTED', 'run failed']
  ])
  t.equal(lines[0]?.[1].reason, 'x; try again when it has ended')
  t.notMatch(JSON.stringify(lines), /secret/)
  t.ok(failures.every(isLogged))
  t.notOk(isLogged(new Busy('x')))
  runLog.fail('text')
  t.notOk(isLogged('text'))
})
