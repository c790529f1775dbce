// What all parts of the window share: the view, the words for it, and the time since it came.

import { getContext, setContext } from 'svelte';

import { Camera } from './camera/camera.svelte';
import type { Command } from './generated/Command';
import type { View } from './generated/View';
import type { Host } from './host';
import { texts } from './messages';

/** Small enough that a shown second is never more than a quarter late. */
const TICK_MS = 250;

const KEY = Symbol('shell');

export class Shell {
  /** None before the first one came. */
  view = $state.raw<View | null>(null);
  /** Milliseconds since the view came. */
  elapsed = $state(0);
  /** The code pad is open: the window's own business, no fact of the app. */
  padOpen = $state(false);
  readonly camera = new Camera((text) => this.send({ name: 'cameraRead', text }));
  /** A view comes several times a second; its zone and its language change once. */
  readonly #zone = $derived(this.view?.timeZone ?? null);
  readonly #language = $derived(this.view?.settings.language ?? navigator.language.slice(0, 2));
  readonly texts = $derived(texts(this.#language, this.#zone));
  /** The guest reads another language than the staff. */
  readonly guestTexts = $derived(texts(this.texts.m.guestLanguage, this.#zone));

  #host: Host;
  #shownAt = 0;

  constructor(host: Host) {
    this.#host = host;
    host.listen((view) => this.show(view));
  }

  show(view: View): void {
    if (view.screen.name !== 'ready' && view.screen.name !== 'pair') this.padOpen = false;
    this.#shownAt = performance.now();
    this.elapsed = 0;
    this.view = view;
  }

  send(command: Command): void {
    this.#host.send(command);
  }

  /** Counts until the returned function is called. */
  run(): () => void {
    const timer = setInterval(() => {
      this.elapsed = performance.now() - this.#shownAt;
    }, TICK_MS);
    return () => clearInterval(timer);
  }

  /** A duration of the view that grows. */
  up(ms: number): number {
    return ms + this.elapsed;
  }

  /** A duration of the view that runs out. */
  down(ms: number): number {
    return Math.max(0, ms - this.elapsed);
  }
}

export function provideShell(shell: Shell): Shell {
  return setContext(KEY, shell);
}

export function useShell(): Shell {
  return getContext<Shell>(KEY);
}
