import { Argument, Command as Program, CommanderError, Option } from 'commander'
import type { Command, Given } from './command.ts'
import { completionScript, shells } from './completion.ts'
import { commands } from './commands/all-commands.ts'
import type { Flags } from './gather-options.ts'
import { exitCodes, type Host, UsageError } from './host.ts'
import { flagOf, placeholderOf, type PluginOption, pluginOptions, variableOf } from './plugin-options.ts'

/** The command that the user called. */
export interface Chosen extends Given { command: Command, flags: Flags }

const outputOptions: Array<[string, string]> = [
  ['--json', 'print JSON (default: unless stdout is a terminal)'],
  ['--no-json', 'print tables'],
  ['--progress', 'report the progress as JSON lines on stderr, without a terminal'],
  ['--no-progress', 'show no progress'],
  ['--debug', 'show the stack of an error']
]

/** Both forms of a boolean, since commander takes `--no-worker` by itself for a default of true. */
function addPluginOption (program: Program, option: PluginOption, isShown: boolean): void {
  const flag = flagOf(option)
  const add = (flags: string, help: string): void => { program.addOption(new Option(flags, help).hideHelp(!isShown)) }
  add(`${flag}${placeholderOf(option)}`, option.help)
  if (option.kind === 'boolean') add(flag.replace('--', '--no-'), `do not ${option.help}`)
}

/** The values of the flags of the plugin's options, by the name of the option. */
function flagsOf (program: Program): Flags {
  const values: Record<string, unknown> = program.opts()
  const named = pluginOptions.map((option) => {
    const key = new Option(flagOf(option)).attributeName()
    return [option.path, values[key]] as const
  })
  return Object.fromEntries(named.filter((entry): entry is [string, string | boolean] => entry[1] !== undefined))
}

const pluginHelp = (): string => pluginOptions.map((option) =>
  `  ${`${flagOf(option)}${placeholderOf(option)}`.padEnd(36)}${option.help}`).join('\n')

const programHelp = (): string => `
Options of the plugin, for every command that uses the database:
${pluginHelp()}

They come from fastify-backup.config.js, .mjs, .ts or .json in the working
directory or from --config, then from the environment (DATABASE_URL, PG*, and
variables such as ${variableOf({ path: 'storagePath' })}), then from flags. Flags without
a value have a form with --no-. Lists are separated by commas.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unhealthy or differences found,
130 interrupted.
`

function addCommand (program: Program, command: Command, choose: (chosen: Chosen) => void): void {
  const { name, summary, details, args, options, example, usesService, implies, shows = [] } = command
  const added = program.command(name).summary(summary)
    .description([`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`, details].join(' ').trim())
    .addHelpText('after', `\nExample:\n  ${example}`)
  for (const [syntax, description] of args) added.addArgument(new Argument(syntax, description))
  for (const [flags, description] of options) added.option(flags, description)
  for (const [flags, description] of outputOptions) added.option(flags, description)
  if (usesService) {
    added.addOption(new Option('--config <file>', 'the configuration file'))
    for (const option of pluginOptions) {
      const isShown = option.isCommon === true ||
        (implies?.[option.path] === undefined && shows.some((path) => option.path.startsWith(path)))
      addPluginOption(added, option, isShown)
    }
    added.addHelpText('after', '\nfastify-backup --help shows the other options of the plugin.')
  }
  added.action(() => {
    choose({ command, args: added.args, values: added.opts(), flags: { ...flagsOf(added), ...implies } })
  })
}

function addCompletion (program: Program, host: Host): void {
  program.command('completion').summary('print a completion script for a shell')
    .description('Print a completion script for a shell.')
    .addArgument(new Argument('<shell>').choices(shells))
    .addHelpText('after', '\nExamples:\n  source <(fastify-backup completion bash)\n' +
      '  fastify-backup completion zsh > ~/.zfunc/_fastify-backup\n' +
      '  fastify-backup completion fish > ~/.config/fish/completions/fastify-backup.fish')
    .action((shell: string) => { host.stdout.write(completionScript(shell, program)) })
}

/** Help for an unknown command is an error, and not the help of the program with exit code 0. */
function withoutHelpOfUnknown (program: Program, args: string[]): string[] {
  const [first = '', second = ''] = args
  const asked = first === 'help' ? second : first
  const isKnown = ['', 'help', ...program.commands.map((command) => command.name())].includes(asked)
  return isKnown || asked.startsWith('-') ? args : [asked]
}

/**
 * Reads the arguments. Undefined if help, the version or a completion was asked for and printed.
 * @throws UsageError
 */
export function parseArguments (host: Host, version: string): Chosen | undefined {
  let chosen: Chosen | undefined
  const program = new Program('fastify-backup')
  // The errors are printed where all errors are
  program.exitOverride().configureHelp({ minWidthToWrap: 20 }).configureOutput({
    writeOut: (text) => { host.stdout.write(text) },
    writeErr: () => {},
    getOutHelpWidth: () => host.stdout.columns || 80,
    getOutHasColors: () => false
  })
  program.description('Backs up and restores PostgreSQL schemas as JSON snapshots.')
    .version(version).addHelpText('after', programHelp).helpCommand('help [command]', 'show the help of a command')
  for (const command of commands) addCommand(program, command, (value) => { chosen = value })
  addCompletion(program, host)
  try {
    if (host.args.length === 0) throw new UsageError('no command; fastify-backup --help lists them')
    program.parse(withoutHelpOfUnknown(program, host.args), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode !== exitCodes.done) throw new UsageError(error.message.replace(/^error: /, ''))
  }
  return chosen
}
