import { join } from 'node:path'
import t from 'tap'
import type { Page } from 'playwright-core'
import { useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import { openPage, testPage, useService } from './admin-page.ts'

const dialogOf = (page: Page) => page.getByRole('dialog')

/** A service that saves an import only when the gate is open, and a file to import. */
async function useSlowImports (t: Parameters<typeof usePlace>[0]) {
  const place = await usePlace(t)
  const { filename } = await useEngine(t, place).create()
  const gate = createGate()
  t.after(async () => { gate.open() })
  const storage = storageWith(place.directory, {
    async publish (storage, spoolPath, name) {
      await gate.pass()
      await storage.publish(spoolPath, name)
    }
  })
  const sockets: Array<{ destroy: () => void }> = []
  let isCut = false
  const service = await useService(t, {
    place,
    options: { storage },
    before: (app) => app.addHook('onRequest', async ({ url, raw }) => {
      if (!url.endsWith('/import')) return
      // Browsers send a request again when a connection that they reused is lost
      if (isCut) raw.socket.destroy()
      sockets.push(raw.socket)
    })
  })
  const file = join(place.directory, filename)
  const cutOff = (): void => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  return { ...service, gate, file, cutOff }
}

async function upload (page: Page, file: string): Promise<void> {
  await page.getByRole('button', { name: 'Import…' }).click()
  await page.getByLabel('Snapshot file').setInputFiles(file)
  await dialogOf(page).getByRole('button', { name: 'Import', exact: true }).click()
}

testPage('an import that is cancelled after its last byte is kept, which the page says, and deletes it', async (t) => {
  const { app, address, gate, file } = await useSlowImports(t)
  const page = await openPage(t, address)
  await upload(page, file)
  await gate.reached
  await dialogOf(page).getByText('The file was sent, and the service is checking it.').waitFor()
  await dialogOf(page).getByRole('button', { name: 'Cancel the import' }).click()
  await dialogOf(page).getByText('Then you can choose whether to delete it.').waitFor()
  gate.open()
  await dialogOf(page).getByRole('heading', { name: 'The service has kept the file' }).waitFor()
  t.equal((await app.backup.list({ trigger: 'import' })).backups.length, 1)
  await dialogOf(page).getByRole('button', { name: 'Delete it' }).click()
  await dialogOf(page).waitFor({ state: 'detached' })
  await page.getByText('The imported snapshot was deleted.').waitFor()
  t.strictSame((await app.backup.list({ trigger: 'import' })).backups, [])
})

testPage('an import whose answer is lost is found in the list', async (t) => {
  const { app, address, gate, file, cutOff } = await useSlowImports(t)
  const page = await openPage(t, address, { expected: /ERR_/ })
  await upload(page, file)
  await gate.reached
  await dialogOf(page).getByText('The file was sent, and the service is checking it.').waitFor()
  cutOff()
  await dialogOf(page).getByRole('alert').getByText('the service is saving the file').waitFor()
  const saved = new Promise((resolve) => { app.backup.once('backup:completed', resolve) })
  gate.open()
  await saved
  await dialogOf(page).getByRole('button', { name: 'Look again' }).click()
  await dialogOf(page).getByRole('heading', { name: 'The service has kept the file' }).waitFor()
  await dialogOf(page).getByText('5 rows of the schema').waitFor()
  await dialogOf(page).getByRole('button', { name: 'Keep it' }).click()
  const { backups: [kept] } = await app.backup.list({ trigger: 'import' })
  await page.waitForURL(`**/#/snapshots/${kept?.id}`)
})

testPage('a dialog that is closed while the service checks the file does not claim that nothing is kept', async (t) => {
  const { address, gate, file } = await useSlowImports(t)
  const page = await openPage(t, address)
  await upload(page, file)
  await gate.reached
  await dialogOf(page).getByText('The file was sent, and the service is checking it.').waitFor()
  await page.keyboard.press('Escape')
  await page.getByText('The service is still checking').waitFor()
  t.equal(await page.getByText('was cancelled').count(), 0)
  gate.open()
  const notice = page.locator('.notice').filter({ hasText: 'imported.' })
  await notice.getByRole('link', { name: 'Details' }).click()
  await page.waitForURL('**/#/snapshots/*')
})

t.end()
