// The window inside the app: commands go in by `invoke('command')`, views are asked for by `invoke('view')`, which
// is answered when there is a newer one.

import { invoke } from '@tauri-apps/api/core';

import type { Command } from '../generated/Command';
import type { View } from '../generated/View';
import type { Host } from '../host';
import { closeWaysOut } from '../kiosk';

interface Numbered {
  number: number;
  view: View;
}

/** Before the app is asked again after an error. */
const PAUSE_MS = 1_000;

/** Shows each view until the app ends, and the window with it. */
async function follow(show: (view: View) => void): Promise<never> {
  let after = 0;
  for (;;) {
    try {
      const newer = await invoke<Numbered | null>('view', { after });
      if (newer) {
        after = newer.number;
        show(newer.view);
      }
    } catch (error) {
      console.error('the app gave no view', error);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

export function appHost(): Host {
  closeWaysOut(window);
  // One after the other: keys that overtake each other are another code.
  let last: Promise<unknown> = Promise.resolve();
  return {
    send(command: Command) {
      last = last
        .then(() => invoke('command', { command }))
        .catch((error: unknown) => {
          console.error('the app refused a command', command.name, error);
        });
    },
    listen(show) {
      void follow(show);
    },
  };
}
