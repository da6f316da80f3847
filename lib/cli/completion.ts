import type { Command as Program } from 'commander'

export const shells = ['bash', 'zsh', 'fish']

/** What a shell completes of a command. */
interface CommandWords { name: string, summary: string, flags: Array<{ flag: string, help: string }> }

const listCommands = (program: Program): CommandWords[] => program.commands.map((command) => ({
  name: command.name(),
  summary: command.summary(),
  flags: command.options.map((option) => ({ flag: `--${option.name()}`, help: option.description }))
}))

/** A script that completes the names of commands and options, and otherwise files. */
export function completionScript (shell: string, program: Program): string {
  const commands = listCommands(program)
  if (shell === 'bash') return bashScript(commands)
  return shell === 'zsh' ? zshScript(commands) : fishScript(commands)
}

const bashFlags = (flags: CommandWords['flags']): string => flags.map(({ flag }) => flag).join(' ')

const bashScript = (commands: CommandWords[]): string => `# bash completion of fastify-backup
_fastify_backup () {
  local current=\${COMP_WORDS[COMP_CWORD]} words=''
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} --help --version' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${commands.map(({ name, flags }) => `    ${name}) words='${bashFlags(flags)} --help' ;;`).join('\n')}
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _fastify_backup fastify-backup
`

/** Within single quotes of zsh and fish. */
const quoted = (text: string): string => text.replace(/'/g, "'\\''")

/** Brackets and colons separate parts of a specification of zsh. */
const zshText = (text: string): string => quoted(text).replace(/[[\]:]/g, '\\$&')

const zshScript = (commands: CommandWords[]): string => `#compdef fastify-backup
_fastify_backup () {
  if (( CURRENT == 2 )); then
    local -a commands
    commands=(
${commands.map(({ name, summary }) => `      '${name}:${zshText(summary)}'`).join('\n')}
    )
    _describe command commands
    return
  fi
  case $words[2] in
${commands.map(({ name, flags }) => `    ${name}) _arguments ${flags.map(({ flag, help }) =>
  `'${flag}[${zshText(help)}]'`).join(' ')} '*:file:_files' ;;`).join('\n')}
  esac
}
if [ "$funcstack[1]" = _fastify_backup ]; then _fastify_backup "$@"; else compdef _fastify_backup fastify-backup; fi
`

const fishScript = (commands: CommandWords[]): string => [
  '# fish completion of fastify-backup',
  ...commands.map(({ name, summary }) =>
    `complete -c fastify-backup -n __fish_use_subcommand -f -a ${name} -d '${quoted(summary)}'`),
  ...commands.flatMap(({ name, flags }) => flags.map(({ flag, help }) =>
    `complete -c fastify-backup -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)} -d '${quoted(help)}'`)),
  ''
].join('\n')
