// Asks a minified database as any program in Node does: node search.mjs DATABASE TEXT.
import { DuckDBInstance } from "@duckdb/node-api";

const [path, text] = process.argv.slice(2);
const instance = await DuckDBInstance.create(path, { access_mode: "READ_ONLY" });
const connection = await instance.connect();
const reader = await connection.runAndReadAll("SELECT package_id FROM fdnix_search($1)", [text]);
console.log(JSON.stringify(reader.getRowObjectsJson()));
