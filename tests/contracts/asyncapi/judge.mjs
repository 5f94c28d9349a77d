// What the official parser says of the document on stdin: [{severity, code, path, message}], severity 0 = error.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const messages = document ? document.allMessages().all().map((message) => message.id()) : [];
const said = diagnostics.map(({ severity, code, path, message }) => ({ severity, code, path: path.join("/"), message }));
process.stdout.write(JSON.stringify({ version: document?.version() ?? null, messages, said }));
