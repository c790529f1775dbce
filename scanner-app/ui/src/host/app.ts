// The window inside the app: commands go in by `invoke('command')`, views come out as the event `view`. What
// was shown before the window listened is asked for by `invoke('view')`.

import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';

import type { Command } from '../generated/Command';
import type { View } from '../generated/View';
import type { Host } from '../host';
import { closeWaysOut } from '../kiosk';

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
      let came = false;
      const listening = listen<View>('view', (event) => {
        came = true;
        show(event.payload);
      });
      void listening
        .then(() => invoke<View | null>('view'))
        .then((present) => {
          if (present && !came) show(present);
        })
        .catch((error: unknown) => console.error('the app gave no view', error));
    },
  };
}
