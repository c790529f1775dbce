// Numbers, times and plurals as a language writes them. Message files are plain objects of the screen's own
// type; this is what they need besides.

/** Forms of a counted thing; `other` is for all numbers that have no form of their own. */
export type PluralForms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

export interface Formats {
  number(value: number): string;
  /** A share of 1. */
  percent(share: number): string;
  /** One of the forms; `#` in it is the number. */
  plural(count: number, forms: PluralForms): string;
  /** Time of day, without seconds. */
  time(atMs: number): string;
  /** Time of day, with seconds. */
  clock(atMs: number): string;
  /** Time of day, with the date if that is not `nowMs`'s. */
  moment(atMs: number, nowMs: number): string;
  /** Some seconds, with a decimal below ten. */
  seconds(ms: number): string;
  /** A time that people feel rather than read: seconds with two decimals below one, else one. */
  milliseconds(ms: number): string;
  /** A duration in its largest unit of which there are two: 8 seconds, 90 seconds, 5 minutes. */
  duration(ms: number): string;
  /** `duration`, in short: 78 sec. */
  age(ms: number): string;
  /** `duration`, before now. */
  ago(ms: number): string;
  /** m:ss, down to 0:00. */
  countdown(ms: number): string;
  /** "A or B". */
  either(items: readonly string[]): string;
}

type Unit = 'second' | 'minute' | 'hour' | 'day';

/** The largest unit that fits twice, and how often. One minute may be 119 seconds: too coarse to act on. */
export function inLargestUnit(ms: number): [count: number, unit: Unit] {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 2 * 60) return [seconds, 'second'];
  if (seconds < 2 * 3600) return [Math.floor(seconds / 60), 'minute'];
  if (seconds < 2 * 86_400) return [Math.floor(seconds / 3600), 'hour'];
  return [Math.floor(seconds / 86_400), 'day'];
}

const twoDigits = (value: number): string => String(value).padStart(2, '0');

/** The zone, or none (the device's own) if this browser does not know it: no screen fails for a name. */
function known(timeZone: string | null): string | undefined {
  if (timeZone === null) return undefined;
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

// A formatter is a hundred kilobytes that the page's collector does not see: it is made once, not at each view.
const made = new Map<string, Formats>();

/** More than any device shows in an evening; then they are made again. */
const MAX_MADE = 16;

/** Times are in this zone of the tz database; null: in the device's own. */
export function formats(language: string, zone: string | null): Formats {
  const key = JSON.stringify([language, zone]);
  let found = made.get(key);
  if (!found) {
    if (made.size >= MAX_MADE) made.clear();
    found = make(language, zone);
    made.set(key, found);
  }
  return found;
}

function make(language: string, zone: string | null): Formats {
  const timeZone = known(zone);
  const number = new Intl.NumberFormat(language);
  const plurals = new Intl.PluralRules(language);
  const time = new Intl.DateTimeFormat(language, {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone,
  });
  const clock = new Intl.DateTimeFormat(language, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZone,
  });
  const day = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long', timeZone });
  const date = new Intl.DateTimeFormat('en', { dateStyle: 'short', timeZone });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'always' });
  const either = new Intl.ListFormat(language, { type: 'disjunction' });
  const percent = new Intl.NumberFormat(language, { style: 'percent' });
  const units = new Map<string, Intl.NumberFormat>();
  const inUnit = (
    value: number,
    unit: Unit,
    digits: number,
    unitDisplay: 'narrow' | 'short' | 'long',
  ): string => {
    const key = `${unit} ${digits} ${unitDisplay}`;
    let format = units.get(key);
    if (!format) {
      format = new Intl.NumberFormat(language, {
        style: 'unit',
        unit,
        unitDisplay,
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      });
      units.set(key, format);
    }
    return format.format(value);
  };

  return {
    number: (value) => number.format(value),
    percent: (share) => percent.format(share),
    plural: (count, forms) =>
      (forms[plurals.select(count)] ?? forms.other).replace('#', number.format(count)),
    time: (atMs) => time.format(atMs),
    clock: (atMs) => clock.format(atMs),
    moment: (atMs, nowMs) =>
      date.format(atMs) === date.format(nowMs)
        ? time.format(atMs)
        : `${day.format(atMs)}, ${time.format(atMs)}`,
    seconds: (ms) =>
      ms < 10_000
        ? inUnit(Math.floor(ms / 100) / 10, 'second', 1, 'short')
        : inUnit(Math.floor(ms / 1000), 'second', 0, 'short'),
    milliseconds: (ms) => inUnit(ms / 1000, 'second', ms < 1000 ? 2 : 1, 'narrow'),
    duration: (ms) => inUnit(...inLargestUnit(ms), 0, 'long'),
    age: (ms) => inUnit(...inLargestUnit(ms), 0, 'short'),
    ago: (ms) => {
      const [count, unit] = inLargestUnit(ms);
      return relative.format(-count, unit);
    },
    countdown: (ms) => {
      const seconds = Math.max(0, Math.ceil(ms / 1000));
      return `${Math.floor(seconds / 60)}:${twoDigits(seconds % 60)}`;
    },
    either: (items) => either.format(items),
  };
}
