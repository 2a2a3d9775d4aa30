// Answers each query on the standard input (one a line) with one line of JSON: its rows, every value as text.
import { DuckDBInstance } from '@duckdb/node-api'
import { readFileSync } from 'node:fs'

const connection = await (await DuckDBInstance.create()).connect()
for (const query of readFileSync(0, 'utf8').split('\n')) {
  if (query.trim() === '') continue
  const rows = await (await connection.runAndReadAll(query)).getRows()
  console.log(JSON.stringify(rows.map((row) => row.map((value) => (value === null ? null : String(value))))))
}
