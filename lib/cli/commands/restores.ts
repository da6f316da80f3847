import { SchemaDrift } from '../../errors.ts'
import type { PlanOptions, RestorePlan } from '../../../types/index.ts'
import { actorOf, actorOption, type Call, type Command, given, givenList, longCallOf } from '../command.ts'
import { findId } from '../find-id.ts'
import { exitCodes, UsageError } from '../host.ts'
import { describeDatabase } from '../describe-database.ts'
import { printable } from '../printable.ts'
import { renderPlan, renderRestore } from '../render-restores.ts'

const targetOptions: Array<[string, string]> = [
  ['--into <schema>', 'restore into this schema (default: that of the snapshot)'],
  ['--tables <names>', 'only these tables, separated by commas']
]

const planOf = (call: Call): PlanOptions => ({ ...targetOf(call), ...longCallOf(call) })

function targetOf (call: Call): PlanOptions {
  const { into: schema } = given(call, 'into')
  return { ...schema !== undefined && { schema }, ...givenList(call, 'tables') }
}

const plan: Command = {
  name: 'plan',
  summary: 'show what a restore would change',
  details: 'Changes nothing. Ends with exit code 3 if the schema differs from the snapshot.',
  args: [['<id>', 'the id, or its first characters']],
  options: targetOptions,
  example: 'fastify-backup plan 3f2a9c11 --tables users,orders',
  usesService: true,
  run: async (call) => await call.withService(async (service) => {
    const { ui } = call
    const planned = await service.plan(await findId(service, String(call.args[0])), planOf(call))
    ui.result(planned, () => renderPlan(planned, ui.width, ui.style))
    return planned.ok ? exitCodes.done : exitCodes.unhealthy
  })
}

const notAllowed = 'restores are not allowed: pass --allow-restore, or set allowRestore: true in the configuration file'
const noTerminal = 'a restore replaces rows, and there is no terminal to confirm it on: pass --yes'

/** Shows the plan, and asks for the name of the schema that will be overwritten. */
async function confirmRestore (call: Call, planned: RestorePlan, database: string): Promise<void> {
  const { ui, values } = call
  ui.note(renderPlan(planned, ui.errorWidth, ui.errorStyle))
  if (!planned.ok && values.allowSchemaDrift !== true) {
    const [first] = planned.drift
    const error = new SchemaDrift(`${first?.table}: ${first?.problem}`)
    throw Object.assign(error, { drift: planned.drift })
  }
  if (values.yes === true) return
  ui.note(`\nThe rows of these tables will be replaced, in ${printable(database)}.`)
  await ui.confirm(`Type the name of the schema to restore (${printable(planned.schema)}):`, planned.schema)
}

const restore: Command = {
  name: 'restore',
  summary: 'replace the rows of a schema by those of a snapshot',
  details: 'Shows the plan, asks for confirmation, takes a pre_restore snapshot, and restores in one transaction: ' +
    'after any failure the data is unchanged. Needs --allow-restore, or allowRestore in the configuration.',
  args: [['<id>', 'the id, or its first characters']],
  options: [
    ...targetOptions,
    ['--allow-schema-drift', 'skip tables and columns that no longer exist'],
    ['--allow-modified', 'restore a file that does not match its checksum'],
    ['-y, --yes', 'do not ask'],
    actorOption
  ],
  example: 'fastify-backup restore 3f2a9c11 --allow-restore',
  usesService: true,
  shows: ['allowRestore'],
  run: async (call) => await call.withService(async (service, options) => {
    const { ui, values } = call
    // Before anything else, since the operator would have to start again
    if (options.allowRestore !== true) throw new UsageError(notAllowed, 'FST_BACKUP_RESTORE_NOT_ALLOWED')
    if (values.yes !== true && !ui.canAsk) throw new UsageError(noTerminal)
    const id = await findId(service, String(call.args[0]))
    const target = targetOf(call)
    await confirmRestore(call, await service.plan(id, planOf(call)), describeDatabase(options, call.host.env))
    const result = await service.restore(id, {
      ...target,
      ...values.allowSchemaDrift === true && { allowSchemaDrift: true },
      ...values.allowModified === true && { allowModified: true },
      ...actorOf(call),
      ...longCallOf(call)
    })
    ui.result(result, () => renderRestore(result, ui.style))
    return exitCodes.done
  })
}

export const restoreCommands: Command[] = [plan, restore]
