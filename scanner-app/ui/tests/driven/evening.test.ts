// The window and the app as `make scanner-dev` starts them: pages from vite, behind them the program. Pictures go to
// `target/screens/driven/`.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createServer, type ViteDevServer } from 'vite';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const UI = `${ROOT}scanner-app/ui`;
const PROGRAM = `${process.env.CARGO_TARGET_DIR ?? `${ROOT}target`}/debug/eventify-scanner-dev`;
const PICTURES = `${ROOT}target/screens/driven`;

let program: ChildProcess;
let server: ViteDevServer;
let browser: Browser;
let page: Page;
let url: string;
const errors: string[] = [];

async function startProgram(): Promise<string> {
  program = spawn(PROGRAM, ['--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (!program.stdout) throw new Error('the program has no output');
  for await (const line of createInterface(program.stdout)) {
    const address = /^listening on (.*)$/.exec(line)?.[1];
    if (address) return `http://${address}`;
  }
  throw new Error(`${PROGRAM} has not started`);
}

beforeAll(async () => {
  process.env.EVENTIFY_SCANNER_DEV = await startProgram();
  const port = { host: '127.0.0.1', port: 0, strictPort: false };
  server = await createServer({
    root: UI,
    configFile: `${UI}/vite.config.ts`,
    logLevel: 'error',
    server: port,
  });
  await server.listen();
  url = server.resolvedUrls?.local[0] ?? '';
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars'],
  });
  page = await browser.newPage({ viewport: { width: 540, height: 960 }, reducedMotion: 'reduce' });
  page.setDefaultTimeout(5_000);
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  mkdirSync(PICTURES, { recursive: true });
  await page.goto(url);
  await page.waitForSelector('.frame');
});

afterAll(async () => {
  await browser.close();
  await server.close();
  if (program.exitCode === null) program.kill();
});

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail')
    await page.screenshot({ path: `${PICTURES}/failed-${task.name.slice(0, 12)}.png` });
});

/** Waits until the screen says so, and keeps a picture. */
async function sees(text: string, picture: string): Promise<void> {
  await page.getByText(text, { exact: false }).first().waitFor();
  await page.screenshot({ path: `${PICTURES}/${picture}.png` });
}

/** On a US keyboard, as imagers do. */
async function types(code: string): Promise<void> {
  const keys: Record<string, string> = { ':': 'Shift+Semicolon', '-': 'Minus' };
  for (const key of code) await page.keyboard.press(keys[key] ?? `Shift+Key${key}`);
  await page.keyboard.press('Enter');
}

/** A cue: Alt with its letter. */
const cue = (letter: string): Promise<void> => page.keyboard.press(`Alt+Key${letter}`);

test('the scanner is paired, chooses its gate and admits a ticket once', async () => {
  await cue('P');
  await page.getByText('North door').first().click();
  await page.getByText('Whatever is on now').click();
  await sees('Scan a ticket', '1-ready');
  await cue('A');
  await sees('Enter', '2-admitted');
  await cue('F');
  await sees('We did not sign this ticket', '3-forged');
  await cue('C');
  await sees('Nobody confirmed it', '4-unconfirmed');
});

test('keys of the page are the scanner’s, and a node that decides alone, locks and goes is shown so', async () => {
  await cue('D');
  await sees('On our own', '5-alone');
  await types('MOCK:NOT-YET');
  await sees('Too early', '6-too-early');
  await page.keyboard.press('Escape');
  await cue('L');
  await sees('No word from the core for too long', '7-locked');
  await cue('G');
  await sees('Trying again', '8-gone');
  await cue('O');
  await sees('Live: the core decides', '9-back');
});

test('whoever signs in by the provider chooses a PIN', async () => {
  await page.keyboard.press('F6');
  await page.getByText('Nour New').click();
  await sees('WDJB-MJHT', '10-sign-in');
  await cue('I');
  await sees('Choose a PIN', '11-new-pin');
  await page.keyboard.press('Escape');
});

test('a supervisor is on shift, finds a guest and scans one out', async () => {
  await page.keyboard.press('F6');
  await page.getByText('Sacha Supervisor').click();
  await sees('digits', '12-pin');
  // Faster than people type it would be an imager's code.
  await page.keyboard.type('246802', { delay: 100 });
  await sees('Scan a ticket', '13-on-shift');
  await page.keyboard.press('F2');
  await page.getByRole('textbox').fill('amina');
  await page.keyboard.press('Enter');
  await sees('Amina Berger', '14-found');
  await page.keyboard.press('Escape');
  await cue('A');
  await sees('Enter', '15-admitted');
  await page.keyboard.press('F4');
  await page.getByText('Scan exits').click();
  await cue('B');
  await sees('Left', '16-left');
});

test('a page of a stranger reaches the window’s address and drives nothing', async () => {
  const stranger = await browser.newPage();
  await stranger.route('http://stranger.example/**', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }),
  );
  await stranger.goto('http://stranger.example/');
  const reached = await stranger.evaluate(async (own) => {
    const body = JSON.stringify({ key: 'L' });
    // Without a preflight, as a form would send it.
    await fetch(`${own}host/cues`, { method: 'POST', mode: 'no-cors', body }).catch(() => undefined);
    return fetch(`${own}host/views`).then(
      () => true,
      () => false,
    );
  }, url);
  expect(reached).toBe(false);
  await stranger.close();
  await cue('A');
  await sees('Not done', '17-still-works');
});

test('Ctrl-C ends the program', async () => {
  program.kill('SIGINT');
  const [code] = (await once(program, 'exit')) as [number | null];
  expect(code).toBe(0);
  expect(errors.filter((error) => !/EventSource|ERR_|500/.test(error))).toEqual([]);
});
