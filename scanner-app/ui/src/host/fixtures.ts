// A host without an app: shows fixtures, so that each screen and state can be opened alone in a browser, e.g.
// `?screen=verdict-alreadyUsed&lang=fr&theme=light&text=large`. The others follow by the arrow keys.
//
// What the window sends is kept for tests and for the browser's console, in `window.eventify`.

import type { Command } from '../generated/Command';
import type { Settings } from '../generated/Settings';
import type { View } from '../generated/View';
import type { Host } from '../host';
import { NOW } from './base';
import { VIEWS } from './views';

export interface FixtureDesk {
  names: string[];
  sent: Command[];
  show(name: string, settings?: Partial<Settings>): void;
}

declare global {
  interface Window {
    eventify?: FixtureDesk;
  }
}

function settingsOf(query: URLSearchParams): Partial<Settings> {
  const settings: Partial<Settings> = {};
  const language = query.get('lang');
  if (language) settings.language = language;
  const theme = query.get('theme');
  if (theme === 'dark' || theme === 'light' || theme === 'highContrast') settings.theme = theme;
  const text = query.get('text');
  if (text === 'normal' || text === 'large' || text === 'largest') settings.textSize = text;
  if (query.has('camera')) settings.camera = true;
  return settings;
}

export function fixtureHost(query: URLSearchParams): Host {
  const names = Object.keys(VIEWS);
  const sent: Command[] = [];
  let at = Math.max(0, names.indexOf(query.get('screen') ?? 'ready'));
  let settings = settingsOf(query);
  let show: (view: View) => void = () => {};
  // Times of fixtures are of one evening.
  Date.now = () => NOW;

  function present(): void {
    const view = VIEWS[names[at] ?? ''];
    if (view) show({ ...view, settings: { ...view.settings, ...settings } });
  }

  window.eventify = {
    names,
    sent,
    show(name, more) {
      at = names.indexOf(name);
      if (more) settings = more;
      present();
    },
  };
  window.addEventListener('keydown', (event) => {
    const step = event.code === 'ArrowRight' ? 1 : event.code === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    at = (at + step + names.length) % names.length;
    present();
  });

  return {
    send(command) {
      sent.push(command);
      if (command.name !== 'keys') console.info('sent', command);
      if (command.name === 'change') {
        settings = command.settings;
        present();
      }
    },
    listen(callback) {
      show = callback;
      present();
    },
  };
}
