import type { Command } from '../command.ts'
import { backupCommands } from './backups.ts'
import { fileCommands } from './files.ts'
import { restoreCommands } from './restores.ts'
import { scheduleCommands } from './run-schedule.ts'
import { upkeepCommands } from './upkeep.ts'

export const commands: Command[] = [
  ...backupCommands, ...restoreCommands, ...fileCommands, ...upkeepCommands, ...scheduleCommands
]
