// The look of every Eventify screen, as one table. `tokens.css` is made from it (`npm run tokens`), and a test
// compares the two. Tests compute that each pair of text and surface has a contrast of 7:1 (WCAG 1.4.6) and
// that the four classes of verdicts look different to every kind of vision.
//
// Lengths. CSS has no real millimetres: it ties `mm` to 96 px an inch whatever the glass is. The devices' own
// pixel is nearer to the truth: web views of handhelds make one CSS px 1/160 inch, so a real millimetre is
// 160 / 25.4 = 6.3 px. On a stand's larger, coarser display the same px are longer, never shorter.

/** CSS px of a real millimetre on glass of 160 dpi. */
export const PX_PER_MM = 160 / 25.4;

/** Share of the font size that a capital of Inter is high (capHeight / unitsPerEm of its OS/2 table). */
export const CAP_HEIGHT = 0.727;

/** Least sizes, in millimetres; ISO 9241-3 and its viewing angles stand behind them. */
export const LEAST_MM = {
  /** Capitals of a verdict's word in the hand: 20 arcmin at 1.5 m. */
  wordInHand: 9,
  /** … and on a stand: 20 arcmin at 3 m. */
  wordOnStand: 18,
  /** Font size of any text: its capitals have 17 arcmin at 0.4 m, 16 is the least. */
  text: 2.8,
  /** What stewards press. */
  target: 15,
  /** Keys of the PIN pad, for gloves, where the glass is wide enough. */
  padKey: 20,
  /** Between two targets. */
  gap: 3,
} as const;

export const CLASSES = ['go', 'used', 'stop', 'hold'] as const;
export type ClassName = (typeof CLASSES)[number];
export type ThemeName = 'dark' | 'light' | 'highContrast';

interface Surface {
  /** Fills the screen. */
  ground: string;
  /** Lies on the ground. */
  panel: string;
  /** Keys and chips. */
  raised: string;
  /** Hairlines; carries no text. */
  line: string;
  text: string;
  muted: string;
  /** Ring around what the keyboard is at. */
  focus: string;
  /** Bars that warn: the ground turned round, in two stripes. */
  bar: string;
  barStripe: string;
  onBar: string;
}

/** Between verdicts: dark at a gate, paper-white at a desk. */
export const THEMES: Record<ThemeName, Surface> = {
  dark: {
    ground: '#0b0e13',
    panel: '#141922',
    raised: '#1d2430',
    line: '#3a4657',
    text: '#f2f5f9',
    muted: '#b4bfce',
    focus: '#ffe08a',
    bar: '#f2f5f9',
    barStripe: '#cfd7e2',
    onBar: '#0b0e13',
  },
  light: {
    ground: '#fbfaf7',
    panel: '#f1efe9',
    raised: '#e6e3da',
    line: '#c3beb2',
    text: '#14161a',
    muted: '#3f454e',
    focus: '#0a2ee0',
    bar: '#14161a',
    barStripe: '#363b43',
    onBar: '#fbfaf7',
  },
  highContrast: {
    ground: '#000000',
    panel: '#000000',
    raised: '#000000',
    line: '#ffffff',
    text: '#ffffff',
    muted: '#ffffff',
    focus: '#ffff00',
    bar: '#ffffff',
    barStripe: '#e6e6e6',
    onBar: '#000000',
  },
};

/** A scanner of exits shows the theme turned round, so that nobody takes it for one of entries. */
export const TURNED: Record<ThemeName, Surface> = {
  dark: THEMES.light,
  light: THEMES.dark,
  highContrast: {
    ground: '#ffffff',
    panel: '#ffffff',
    raised: '#ffffff',
    line: '#000000',
    text: '#000000',
    muted: '#000000',
    focus: '#0000c0',
    bar: '#000000',
    barStripe: '#1a1a1a',
    onBar: '#ffffff',
  },
};

interface Fill {
  fill: string;
  on: string;
  /** A panel on the fill. */
  shade: string;
}

/** The same in every theme: what a colour means does not depend on taste. */
export const FILLS: Record<ClassName, Fill> = {
  go: { fill: '#5cf0b4', on: '#04140d', shade: '#49d69d' },
  used: { fill: '#ffb412', on: '#1a1100', shade: '#e69d00' },
  stop: { fill: '#6b0f1a', on: '#ffffff', shade: '#4d0710' },
  hold: { fill: '#0a2ee0', on: '#ffffff', shade: '#0721a6' },
};

/** A drill can't be mistaken for the real thing: frame, hatch and words, in a colour that nothing else has. */
export const DRILL = { fill: '#c0a0ff', stripe: '#b58cff', on: '#12062b' };

/** Font sizes in px at text size "normal"; at most three a screen beside the word. */
export const SIZES = {
  inHand: { word: 78, title: 30, body: 21, small: 18 },
  onStand: { word: 156, title: 44, body: 30, small: 24 },
} as const;

/** What the person's text size does to all but the word. */
export const TEXT_SCALES = { normal: 1, large: 1.2, largest: 1.4 } as const;

/** Text on surface, all that screens use: [what, text, surface]. */
export function textPairs(): [what: string, text: string, surface: string][] {
  const pairs: [string, string, string][] = [];
  const turned = Object.entries(TURNED).map(([theme, of]) => [`${theme} turned`, of] as const);
  for (const [theme, of] of [...Object.entries(THEMES), ...turned]) {
    for (const surface of ['ground', 'panel', 'raised'] as const) {
      pairs.push([`${theme}: text on ${surface}`, of.text, of[surface]]);
      pairs.push([`${theme}: muted on ${surface}`, of.muted, of[surface]]);
    }
    pairs.push([`${theme}: text on a bar`, of.onBar, of.bar]);
    pairs.push([`${theme}: text on a bar's stripe`, of.onBar, of.barStripe]);
  }
  for (const [name, of] of Object.entries(FILLS)) {
    pairs.push([`text on ${name}`, of.on, of.fill]);
    pairs.push([`text on a panel of ${name}`, of.on, of.shade]);
  }
  pairs.push(['text on a drill', DRILL.on, DRILL.fill]);
  pairs.push(['text on the stripe of a drill', DRILL.on, DRILL.stripe]);
  return pairs;
}

const dashed = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function rule(selector: string, properties: Record<string, string | number>): string {
  const lines = Object.entries(properties).map(([name, value]) => `  --${dashed(name)}: ${value};\n`);
  return `${selector} {\n${lines.join('')}}\n`;
}

const px = (sizes: Record<string, number>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(sizes).map(([name, size]) => [
      `${name}Size`,
      name === 'word' ? `${size}px` : `calc(${size}px * var(--scale))`,
    ]),
  );

/** `tokens.css`. */
export function toCss(): string {
  const mm = (value: number): string => `${Math.ceil(value * PX_PER_MM)}px`;
  const fills = CLASSES.map((name) => rule(`[data-class='${name}']`, { ...FILLS[name] }));
  const scales = Object.entries(TEXT_SCALES).map(([name, scale]) =>
    rule(`:root[data-text='${name}']`, { scale }),
  );
  return [
    '/* Made from tokens.ts by `npm run tokens`. */\n',
    rule(':root', {
      scale: 1,
      radius: '14px',
      unit: '8px',
      target: mm(LEAST_MM.target),
      padKey: mm(LEAST_MM.padKey),
      gap: mm(LEAST_MM.gap),
      font: "'Inter Variable', system-ui, sans-serif",
      ...px(SIZES.inHand),
      drill: DRILL.fill,
      drillStripe: DRILL.stripe,
      onDrill: DRILL.on,
    }),
    rule(":root,\n:root[data-theme='dark']", { ...THEMES.dark }),
    rule(":root[data-theme='light']", { ...THEMES.light }),
    rule(":root[data-theme='highContrast']", { ...THEMES.highContrast }),
    rule("[data-turned],\n:root[data-theme='dark'] [data-turned]", { ...TURNED.dark }),
    rule(":root[data-theme='light'] [data-turned]", { ...TURNED.light }),
    rule(":root[data-theme='highContrast'] [data-turned]", { ...TURNED.highContrast }),
    ...CLASSES.map((name) => rule(`:root`, { [name]: FILLS[name].fill })),
    ...fills,
    ...scales,
    `/* A stand at a gate, read from 3 m. */\n@media (min-width: 1000px) and (min-height: 600px),\n  (min-width: 700px) and (min-height: 1000px) {\n${rule(
      ':root',
      px(SIZES.onStand),
    ).replace(/^(?=.)/gm, '  ')}}\n`,
  ].join('\n');
}
