// `make guides`: the steward's page in each language, on A4, with the pictures that the tests in the scanner app's
// window have taken. Chromium prints it.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { texts } from './texts.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url));
const pictures = `${target}/screens/window`;
const out = `${target}/guides`;
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Words that stand side by side need a smaller type. */
const LONG = 12;

const steps = (all) => all.map((step) => `<p>${step}</p>`).join('');
const picture = (name) => `<img src="${pictures}/${name}.png" alt="">`;

const card = ({ picture: name, tone, word, sound, steps: all }) =>
  `<section class="card ${tone} ${word.length > LONG ? 'long' : ''}">${picture(name)}
   <div><h2>${word.replaceAll(' · ', '<br>')}</h2>${steps(all)}<p class="sound">♪ ${sound}</p></div></section>`;

const state = ({ picture: name, word, steps: all }) =>
  `<section class="state">${picture(name)}<div><h4>${word}</h4>${steps(all)}</div></section>`;

const page = (language, text) => `<!doctype html>
<html lang="${language}"><meta charset="utf-8"><title>Eventify: ${text.title}</title>
<style>${readFileSync(`${here}guide.css`, 'utf8').replaceAll("url('../../", `url('${here}../../`)}</style>
<body>
<header><h1>${text.title}</h1><p class="lead">${text.lead}</p></header>
<main class="verdicts">${text.verdicts.map(card).join('')}</main>
<div><h3>${text.lineTitle}</h3><div class="states">${text.line.map(state).join('')}</div></div>
<footer class="foot">
<div><h3>${text.tipsTitle}</h3><ul>${text.tips.map((tip) => `<li>${tip}</li>`).join('')}</ul></div>
<div class="calls"><h3>${text.callTitle}</h3>${text.calls.map((who) => `<p>${who}<span></span></p>`).join('')}</div>
</footer></body></html>`;

const wanted = Object.values(texts).flatMap(({ verdicts, line }) => [...verdicts, ...line]);
const missing = wanted.map((one) => `${pictures}/${one.picture}.png`).filter((path) => !existsSync(path));
if (missing.length > 0) {
  console.error(`make guides: ${missing[0]} is not there. \`make test\` takes the pictures, in the app's own window: run it once, then this again`);
  process.exit(1);
}

mkdirSync(out, { recursive: true });
for (const [language, text] of Object.entries(texts)) {
  const [html, pdf] = [`${out}/steward-${language}.html`, `${out}/steward-${language}.pdf`];
  writeFileSync(html, page(language, text));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-pdf-header-footer', '--allow-file-access-from-files'];
  execFileSync(chromium, [...flags, `--print-to-pdf=${pdf}`, `file://${html}`], { stdio: 'ignore' });
  rmSync(html);
  // A page more is a text too long.
  const pages = (readFileSync(pdf, 'latin1').match(/\/Type\s*\/Page\b(?!s)/g) ?? []).length;
  if (pages !== 1) throw new Error(`${pdf} has ${pages} pages`);
  console.log(pdf);
}
