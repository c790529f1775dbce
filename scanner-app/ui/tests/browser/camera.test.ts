// A real ticket's code before a camera, as people hold it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { film, ticket, type Look } from './ticket-video';
import { open, type OpenWindow } from './window';

const STRAIGHT: Look = { turn: 0, tilt: 0, blur: 0, light: 1 };
const LOOKS: [string, Look][] = [
  ['straight', STRAIGHT],
  ['at an angle', { ...STRAIGHT, turn: 24, tilt: 0.35 }],
  ['upside down', { ...STRAIGHT, turn: 180 }],
  ['in the dark', { ...STRAIGHT, light: 0.15 }],
  ['blurred', { ...STRAIGHT, blur: 2 }],
];

let folder: string;
let win: OpenWindow | undefined;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eventify-camera-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

afterEach(async () => {
  await win?.close();
  win = undefined;
});

const camera = (file: string): string[] => [
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  `--use-file-for-fake-video-capture=${file}`,
];

async function before(look: Look): Promise<OpenWindow> {
  const file = join(folder, 'ticket.y4m');
  await film(file, ticket(), look);
  win = await open('screen=ready&camera', camera(file), ['camera']);
  return win;
}

const read = (of: OpenWindow): Promise<string[]> =>
  of.page.evaluate(() =>
    (window.eventify?.sent ?? []).flatMap((one) => (one.name === 'cameraRead' ? [one.text] : [])),
  );

const hasRead = (of: OpenWindow): Promise<unknown> =>
  of.page.waitForFunction(() => window.eventify?.sent.some(({ name }) => name === 'cameraRead'));

describe('a ticket', () => {
  test.each(LOOKS)('is read %s', async (_, look) => {
    const of = await before(look);
    await hasRead(of);
    expect(await read(of)).toEqual([ticket()]);
    expect(of.errors).toEqual([]);
  });

  test('that stays before the camera is one scan, also after its verdict went', async () => {
    const of = await before(STRAIGHT);
    await hasRead(of);
    await of.show('verdict-admit', { camera: true });
    await of.show('ready', { camera: true });
    // The camera went on: its picture is two seconds further, and the ticket in each of them.
    await of.page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 2);
    expect(await read(of)).toHaveLength(1);
  });
});

describe('without a camera', () => {
  const said = async (of: OpenWindow): Promise<string> => {
    await of.page.waitForFunction(
      () => !/Starting/.test(document.querySelector('main [role=status]')?.textContent ?? 'Starting'),
    );
    return (await of.page.textContent('main [role=status]')) ?? '';
  };

  test('a machine that has none says so, and what to do', async () => {
    win = await open('screen=ready&camera', [], ['camera']);
    expect(await said(win)).toBe('No camera found. Plug one in, or use the scanner.');
    expect(win.errors).toEqual([]);
  });

  test('a refusal is a sentence and no error', async () => {
    win = await open('screen=ready&camera', [
      '--use-fake-device-for-media-stream',
      '--deny-permission-prompts',
    ]);
    expect(await said(win)).toBe('The camera is not allowed. Allow it in the system, or use the scanner.');
    expect(win.errors).toEqual([]);
  });
});

test('a camera that is switched off is let go', async () => {
  const of = await before(STRAIGHT);
  await of.page.waitForSelector('video');
  await of.show('ready', { camera: false });
  await of.page.waitForSelector('video', { state: 'detached' });
});
