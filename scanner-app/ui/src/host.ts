// Who feeds the window: the app around it, or fixtures where there is none.

import type { Command } from './generated/Command';
import type { View } from './generated/View';

export interface Host {
  /** In the order of the calls. */
  send(command: Command): void;
  /** Calls back with each view, the present one first. */
  listen(show: (view: View) => void): void;
}

/** The app's host if the window is the app's, else fixtures chosen by the page's address. */
export async function connect(): Promise<Host> {
  if ('__TAURI_INTERNALS__' in window) {
    const { appHost } = await import('./host/app');
    return appHost();
  }
  const { fixtureHost } = await import('./host/fixtures');
  return fixtureHost(new URLSearchParams(window.location.search));
}
