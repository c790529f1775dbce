// Who feeds the window: the app around it, or where there is none a made-up view, or the app of `make scanner-dev`.

import type { Command } from './generated/Command';
import type { View } from './generated/View';

export interface Host {
  /** In the order of the calls. */
  send(command: Command): void;
  /** Calls back with each view, the present one first. */
  listen(show: (view: View) => void): void;
}

/** The app's host if the window is the app's; else made-up views, if the page's address names one (`?screen=ready`). */
export async function connect(): Promise<Host> {
  if ('__TAURI_INTERNALS__' in window) {
    const { appHost } = await import('./host/app');
    return appHost();
  }
  const query = new URLSearchParams(window.location.search);
  if (query.has('screen')) {
    const { fixtureHost } = await import('./host/fixtures');
    return fixtureHost(query);
  }
  const { developmentHost } = await import('./host/development');
  return developmentHost(window);
}
