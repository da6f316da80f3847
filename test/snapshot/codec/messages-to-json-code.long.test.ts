import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { projectRoot } from '../../support/project-root.js'

t.test('the committed code is what the compiler makes of its sources', async (t) => {
  const program = fileURLToPath(new URL('wasm/build.js', projectRoot))
  const { status, stderr } = spawnSync(process.execPath, [program, '--check'], { encoding: 'utf8' })
  t.equal(status, 0, stderr)
})
