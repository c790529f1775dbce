// Names as people look for them: by the beginning of any word, without regard to case and accents.

const plain = (text: string): string => text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase();

export function isNamed(name: string, wanted: string): boolean {
  const words = plain(name).split(/[\s-]+/);
  return plain(wanted)
    .split(/\s+/)
    .every((part) => words.some((word) => word.startsWith(part)));
}
