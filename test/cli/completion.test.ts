import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { shells } from '../../lib/cli/completion.ts'
import { useDirectory } from '../support/directory.ts'
import { runHere } from './run-here.ts'

/** The options of a test that runs this shell. Shells of Windows do not share its paths. */
function needs (shell: string): { skip: string | false } {
  if (process.platform === 'win32') return { skip: 'the shells are those of another system' }
  const { status } = spawnSync(shell, ['-c', 'exit 0'])
  return { skip: status === 0 ? false : `${shell} is not installed` }
}

async function scriptOf (shell: string): Promise<string> {
  const { code, stdout, stderr } = await runHere(['completion', shell])
  t.strictSame([code, stderr], [0, ''])
  return stdout
}

/** A directory with the script and two files. */
async function useScript (test: Parameters<typeof useDirectory>[0], shell: string, name: string): Promise<string> {
  const directory = await useDirectory(test)
  writeFileSync(join(directory, name), await scriptOf(shell))
  mkdirSync(join(directory, 'files'))
  for (const file of ['snap.json', 'snap shot.json']) writeFileSync(join(directory, 'files', file), '')
  return directory
}

function run (shell: string, args: string[], cwd: string): string[] {
  const env = { PATH: process.env.PATH, HOME: cwd }
  const { stdout, stderr } = spawnSync(shell, args, { cwd, encoding: 'utf8', env })
  if (stderr !== '') throw new Error(stderr)
  return stdout.split('\n').filter(Boolean)
}

/** What every shell completes: the words so far, and some of the completions; none if the list is empty. */
const completions: Array<[string[], string[]]> = [
  [['re'], ['restore', 'rescan']],
  [['list', '--st'], ['--status', '--storage-path']],
  [['restore', '--allow-s'], ['--allow-schema-drift']],
  [['create', '--compression-'], ['--compression-level', '--compression-type']],
  [['export', '--as'], ['--as-json']],
  [['completion', ''], shells],
  [['help', 're'], ['restore', 'rescan']],
  [['import', 'files/'], ['files/snap.json', 'files/snap shot.json']],
  [['list', '--config', 'files/'], ['files/snap.json', 'files/snap shot.json']],
  [['create', '--note', ''], []],
  [['show', ''], []]
]

t.test('every script names the commands and their options', async (t) => {
  for (const shell of shells) t.match(await scriptOf(shell), /restore[^]*allow-schema-drift/)
})

t.test('bash completes', needs('bash'), async (t) => {
  const directory = await useScript(t, 'bash', 'script')
  const complete = `. ../script; COMP_WORDS=(fastify-backup "$@"); COMP_CWORD=$#
    _fastify_backup; printf '%s\\n' "\${COMPREPLY[@]}"`
  for (const [words, expected] of completions) {
    const inFiles = words.map((word) => word.replace('files/', ''))
    const found = run('bash', ['-c', complete, 'bash', ...inFiles], join(directory, 'files'))
    t.strictSame(found.sort(), expected.map((word) => word.replace('files/', '')).sort(), words.join(' '))
  }
})

t.test('fish completes', needs('fish'), async (t) => {
  const directory = await useScript(t, 'fish', 'script')
  for (const [words, expected] of completions) {
    const complete = `source script; complete -C 'fastify-backup ${words.join(' ')}'`
    const found = run('fish', ['--no-config', '-c', complete], directory).map((line) => line.split('\t', 1)[0])
    const listed = expected.map((word) => word.replace(/ (?=shot)/, '\\ '))
    t.strictSame(found.map((word) => word?.replace(/([^\\]) (?=shot)/, '$1\\ ')).sort(), listed.sort(), words.join(' '))
  }
})

/** zsh calls the file as a function. Its own functions show here what they are called with. */
const zshStubs = `
  compdef () { print 'compdef' }
  _describe () { print -rl -- \${commands%%:*} }
  _arguments () { print -rl -- "$@" }
`

t.test('zsh completes at the first time already', needs('zsh'), async (t) => {
  const directory = await useScript(t, 'zsh', '_fastify-backup')
  const complete = `${zshStubs} fpath=(. $fpath); autoload -U _fastify-backup
    words=(fastify-backup "$@"); CURRENT=$(( $# + 1 )); _fastify-backup`
  const specifications = (...words: string[]): string[] =>
    run('zsh', ['-f', '-c', complete, 'zsh', ...words], directory)
  const names = specifications('re')
  t.ok(['restore', 'completion', 'help'].every((name) => names.includes(name)))
  const restore = specifications('restore', '')
  t.ok(restore.includes('--allow-schema-drift[skip tables and columns that no longer exist]'))
  t.ok(restore.includes('--actor[who runs it, for the log (default\\: your user name)]:text: '))
  t.ok(restore.includes('--config[the configuration file]:file:_files'))
  t.equal(restore.at(-1), '*:text: ')
  t.equal(specifications('import', '').at(-1), '*:file:_files')
  t.strictSame(specifications('completion', ''), ['*:name:(bash zsh fish)'])
})
