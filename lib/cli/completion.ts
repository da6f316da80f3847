import type { Argument, Command as Program } from 'commander'

export const shells = ['bash', 'zsh', 'fish']

/** What may stand behind a flag or as the argument of a command; nothing that a shell knows if it is text. */
type Value = 'file' | 'text' | string[]

interface Flag { flag: string, help: string, value: Value | null }

/** What a shell completes of a command. */
interface CommandWords { name: string, summary: string, flags: Flag[], argument: Value }

const isPath = (name: string): boolean => /\b(?:file|config|storage-path)\b/.test(name)

const valueOf = (argument: Argument): Value =>
  argument.argChoices ?? (isPath(argument.name()) ? 'file' : 'text')

function listCommands (program: Program): CommandWords[] {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    flags: command.options.map((option) => ({
      flag: `--${option.name()}`,
      help: option.description,
      value: option.required ? (isPath(option.name()) ? 'file' as const : 'text' as const) : null
    })),
    argument: command.registeredArguments.map(valueOf).find((value) => value !== 'text') ?? 'text' as const
  }))
  const names = commands.map(({ name }) => name)
  return [...commands, { name: 'help', summary: 'show the help of a command', flags: [], argument: names }]
}

/** A script that completes the names of commands and options, and files where a command takes one. */
export function completionScript (shell: string, program: Program): string {
  const commands = listCommands(program)
  if (shell === 'bash') return bashScript(commands)
  return shell === 'zsh' ? zshScript(commands) : fishScript(commands)
}

const bashFlags = (flags: Flag[]): string => flags.map(({ flag }) => flag).join(' ')

/** The flags of all commands that a value follows. */
function bashCase (commands: CommandWords[], of: Value): string {
  const flags = commands.flatMap((command) => command.flags).filter(({ value }) => value === of)
  return [...new Set(flags.map(({ flag }) => flag))].join('|')
}

const bashArgument = (argument: Value): string =>
  argument === 'file' ? ' isFile=1' : argument === 'text' ? '' : ` values='${argument.join(' ')}'`

const bashScript = (commands: CommandWords[]): string => `# bash completion of fastify-backup
_fastify_backup () {
  local current=\${COMP_WORDS[COMP_CWORD]} flags='' values='' isFile=''
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} --help --version' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${commands.map(({ name, flags, argument }) =>
  `    ${name}) flags='${bashFlags(flags)} --help'${bashArgument(argument)} ;;`).join('\n')}
  esac
  case \${COMP_WORDS[COMP_CWORD-1]} in
    ${bashCase(commands, 'file')}) flags='' values='' isFile=1 ;;
    ${bashCase(commands, 'text')}) return ;;
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")); return ;;
  esac
  if [ -n "$isFile" ]; then
    # A name may contain spaces
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$current"))
  else
    COMPREPLY=($(compgen -W "$values" -- "$current"))
  fi
}
complete -o filenames -F _fastify_backup fastify-backup
`

/** Within single quotes of zsh and fish. */
const quoted = (text: string): string => text.replace(/'/g, "'\\''")

/** Brackets and colons separate parts of a specification of zsh. */
const zshText = (text: string): string => quoted(text).replace(/[[\]:]/g, '\\$&')

/** What follows the colons of a specification of zsh. */
const zshValue = (value: Value): string =>
  value === 'file' ? 'file:_files' : value === 'text' ? 'text: ' : `name:(${value.join(' ')})`

const zshFlag = ({ flag, help, value }: Flag): string =>
  `'${flag}[${zshText(help)}]${value === null ? '' : `:${zshValue(value)}`}'`

// zsh calls the file of the name _fastify-backup as a function at the first completion
const zshScript = (commands: CommandWords[]): string => `#compdef fastify-backup
_fastify-backup () {
  if (( CURRENT == 2 )); then
    local -a commands
    commands=(
${commands.map(({ name, summary }) => `      '${name}:${zshText(summary)}'`).join('\n')}
    )
    _describe command commands
    return
  fi
  case $words[2] in
${commands.map(({ name, flags, argument }) =>
  `    ${name}) _arguments ${[...flags.map(zshFlag), `'*:${zshValue(argument)}'`].join(' ')} ;;`).join('\n')}
  esac
}
if [ "$funcstack[1]" = _fastify-backup ]; then _fastify-backup "$@"; else compdef _fastify-backup fastify-backup; fi
`

/** -f: no files, -r: a value follows. */
const fishValue = (value: Value | null): string => value === null ? ' -f' : value === 'file' ? ' -r -F' : ' -f -r'

const fishScript = (commands: CommandWords[]): string => [
  '# fish completion of fastify-backup',
  'complete -c fastify-backup -f',
  ...commands.map(({ name, summary }) =>
    `complete -c fastify-backup -n __fish_use_subcommand -a ${name} -d '${quoted(summary)}'`),
  ...commands.flatMap(({ name, flags, argument }) => {
    const line = `complete -c fastify-backup -n '__fish_seen_subcommand_from ${name}'`
    return [
      ...argument === 'file' ? [`${line} -F`] : argument === 'text' ? [] : [`${line} -a '${argument.join(' ')}'`],
      ...flags.map(({ flag, help, value }) => `${line}${fishValue(value)} -l ${flag.slice(2)} -d '${quoted(help)}'`)
    ]
  }),
  ''
].join('\n')
