import './elements/backup-app.ts'
