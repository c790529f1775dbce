// A verdict in words: which screen it is, and what its sentences may name.

import type { Class } from './generated/Class';
import type { Shown } from './generated/Shown';
import type { Why } from './generated/Why';
import type { Texts } from './messages';
import type { VerdictFacts, VerdictName } from './messages/types';

export type FillClass = Exclude<Class, 'done'>;

export function verdictName(why: Why): VerdictName {
  return why.verdict === 'alreadyUsed' && !why.confirmed ? 'unconfirmed' : why.verdict;
}

export function word(shown: Shown, { m }: Texts): string {
  return m.verdict[verdictName(shown.why)];
}

function timeOf(why: Why): number | null {
  switch (why.verdict) {
    case 'alreadyUsed':
      return why.atMs;
    case 'notYet':
      return why.admitsFromMs;
    case 'expired':
      return why.admittedUntilMs;
    default:
      return null;
  }
}

/** The class that fills the screen; an act that lets nobody in has none. */
export const fillOf = (shown: Shown): FillClass | null => (shown.class === 'done' ? null : shown.class);

function reasonOf(why: Why, { m }: Texts): string {
  if (why.verdict !== 'overridden') return '';
  return why.note ?? m.acts.because[why.reason];
}

/** `elapsed`: milliseconds since the verdict was sent; `nowMs`: the time of day. */
export function factsOf(shown: Shown, { m, f }: Texts, elapsed: number, nowMs: number): VerdictFacts {
  const { why } = shown;
  const at = timeOf(why);
  const used = why.verdict === 'alreadyUsed' ? why : null;
  return {
    gate: used?.gate ?? null,
    at: at === null ? '' : f.moment(at, nowMs),
    again: used?.readAgainMs == null ? null : f.ago(used.readAgainMs + elapsed),
    ago: used?.agoMs == null ? null : f.ago(used.agoMs + elapsed),
    gates: why.verdict === 'notValidHere' ? f.either(why.gates) : '',
    seat: shown.ticket?.seat ?? null,
    code: why.verdict === 'noAnswer' || why.verdict === 'notDone' ? why.code : null,
    person: why.verdict === 'overridden' || why.verdict === 'takenBack' ? why.person : null,
    reason: reasonOf(why, { m, f }),
    problem: why.verdict === 'notDone' ? m.acts.problem[why.problem] : '',
  };
}
