// Ways out of the window that a web view has by itself: its menu, a file dropped on it, shortcuts that reload, zoom or
// print. In the app only; a browser keeps them.

const isTextField = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;

export function closeWaysOut(target: Window): void {
  const stop = (event: Event): void => event.preventDefault();
  for (const way of ['contextmenu', 'dragstart', 'dragover', 'drop']) target.addEventListener(way, stop);
  target.addEventListener('wheel', (event) => event.ctrlKey && stop(event), { passive: false });
  target.addEventListener('keydown', (event) => {
    // Copying and pasting codes of settings stays.
    if ((event.ctrlKey || event.altKey || event.metaKey) && !isTextField(event.target)) stop(event);
  });
}
