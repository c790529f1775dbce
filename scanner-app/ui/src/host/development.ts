// The app without its window, driven from a browser (`make scanner-dev`): commands go in by POST, one after the
// other, views come out as server-sent events. Alt with a letter is a cue: what guests, the line or the
// identity provider would do. The terminal lists them.

import type { Command } from '../generated/Command';
import type { View } from '../generated/View';
import type { Host } from '../host';

const LETTER = /^Key([A-Z])$/;

export function developmentHost(target: Window): Host {
  // One after the other: keys that overtake each other are another code.
  let last: Promise<unknown> = Promise.resolve();

  function post(path: string, body: unknown): void {
    const headers = { 'content-type': 'application/json' };
    last = last
      .then(() => fetch(path, { method: 'POST', headers, body: JSON.stringify(body) }))
      .then((answer) => {
        if (!answer.ok) console.error('the app refused', answer.status, body);
      })
      .catch((error: unknown) => console.error('the app can’t be reached', error));
  }

  target.addEventListener(
    'keydown',
    (event) => {
      const key = LETTER.exec(event.code)?.[1];
      if (!key || !event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (!event.repeat) post('/host/cues', { key });
    },
    { capture: true },
  );

  return {
    send(command: Command) {
      post('/host/commands', command);
    },
    listen(show) {
      const views = new EventSource('/host/views');
      views.addEventListener('view', (event: MessageEvent<string>) => show(JSON.parse(event.data) as View));
      // It tries again by itself.
      views.addEventListener('error', () =>
        console.warn('the app can’t be reached: is `make scanner-dev` running?'),
      );
    },
  };
}
