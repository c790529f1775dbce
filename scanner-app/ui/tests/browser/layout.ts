// What is wrong with the layout of the screen that stands on the page. Runs in the page, so it uses nothing
// of this file but its arguments.

export interface Rules {
  /** Least font size, px. */
  text: number;
  /** Least font size of a verdict's word, px. */
  word: number;
  /** Least side of a key, px. */
  target: number;
  /** Least distance of two keys, px. */
  gap: number;
  /** Everything has to be seen without scrolling; else only what matters most. */
  whole: boolean;
}

export function faults(rules: Rules): string[] {
  const found: string[] = [];
  const SLACK = 1;
  const name = (element: Element): string =>
    `<${element.tagName.toLowerCase()} class="${element.getAttribute('class') ?? ''}"> "${(element.textContent ?? '').trim().slice(0, 40)}"`;
  const hidden = (element: Element): boolean =>
    element.closest('.visually-hidden') !== null ||
    getComputedStyle(element).clipPath !== 'none' ||
    getComputedStyle(element).visibility !== 'visible';

  if (document.documentElement.scrollWidth > innerWidth + SLACK)
    found.push('the page is wider than the window');

  const main = document.querySelector('main');
  if (!main) return ['there is no main'];
  const glass = main.getBoundingClientRect();
  if (main.scrollWidth > main.clientWidth + SLACK) found.push('the screen is wider than its place');
  const scrolls = main.querySelector('ul, ol.list, form, .lists') !== null || !main.querySelector('section');
  if (rules.whole && !scrolls && main.scrollHeight > main.clientHeight + SLACK) {
    found.push(`${main.scrollHeight - main.clientHeight} px of the screen are below its place`);
  }

  // Every line of text: large enough, and inside of its box and of the window.
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!element || !node.textContent?.trim() || hidden(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const lines = [...range.getClientRects()].filter((line) => line.width > 0);
    if (lines.length === 0) continue;
    const size = parseFloat(getComputedStyle(element).fontSize);
    if (size < rules.text) found.push(`${name(element)} is ${size} px`);
    const inMain = main.contains(element);
    const box = (element.closest('button, .bar, li, main') ?? document.body).getBoundingClientRect();
    for (const line of lines) {
      if (line.right > Math.min(innerWidth, box.right) + SLACK || line.left < Math.max(0, box.left) - SLACK) {
        found.push(`${name(element)} reaches out of its box at the side`);
        break;
      }
      if (!inMain && (line.bottom > Math.min(innerHeight, box.bottom) + SLACK || line.top < -SLACK)) {
        found.push(`${name(element)} reaches out of its box above or below`);
        break;
      }
    }
  }

  // What a verdict is has to be seen whatever else there is.
  const word = main.querySelector('section[role="alert"] h1');
  if (word) {
    const rect = word.getBoundingClientRect();
    if (rect.top < glass.top - SLACK || rect.bottom > glass.bottom + SLACK)
      found.push('the word is not seen as a whole');
    const size = parseFloat(getComputedStyle(word).fontSize);
    if (document.querySelector('section:not(.quiet) > .head > h1') && size < rules.word - 0.5) {
      found.push(`the word is ${size} px`);
    }
  }

  // Keys: as large as a thumb in a glove, and apart.
  const keys = [...document.querySelectorAll('button')].filter((key) => key.closest('.pad') === null);
  const rects = keys.map((key) => key.getBoundingClientRect());
  rects.forEach((rect, index) => {
    const key = keys[index];
    if (!key || rect.width === 0) return;
    if (rect.width < rules.target - SLACK || (rect.height < rules.target - SLACK && !key.matches('.last'))) {
      found.push(`${name(key)} is ${Math.round(rect.width)} by ${Math.round(rect.height)} px`);
    }
    if (
      !main.contains(key) &&
      (rect.bottom > innerHeight + SLACK || rect.right > innerWidth + SLACK || rect.top < -SLACK)
    ) {
      found.push(`${name(key)} is not in the window`);
    }
    rects.slice(index + 1).forEach((other, after) => {
      if (other.width === 0) return;
      const across = Math.max(other.left - rect.right, rect.left - other.right);
      const down = Math.max(other.top - rect.bottom, rect.top - other.bottom);
      const inside = main.contains(key) !== main.contains(keys[index + 1 + after] ?? null);
      if (Math.max(across, down) < rules.gap - SLACK && !inside)
        found.push(`${name(key)} is too near to another key`);
    });
  });

  return found;
}
