/** The start of the inspector's page. */
import { render } from 'preact'
import { InspectorApi } from './api.ts'
import { App } from './app.tsx'
import { takeToken } from './token.ts'
import './style.css'

const root = document.getElementById('app')
if (root) render(<App api={new InspectorApi(takeToken(window))} />, root)
