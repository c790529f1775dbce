// What a camera sees of a ticket, as a video file for Chromium's fake camera (`.y4m`: raw pictures).

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { prepareZXingModule, writeBarcode } from 'zxing-wasm/writer';

const WIDTH = 640;
const HEIGHT = 480;
const PICTURES = 5;
/** Of the code with its margin in the picture. */
const SIDE = 270;
const MARGIN = 4;

/** A real ticket's text: what scanners of other makers are tested with too. */
export function ticket(): string {
  const vectors = join(import.meta.dirname, '../../../../protocol/tests/vectors/tokens.json');
  const [first] = JSON.parse(readFileSync(vectors, 'utf8')) as { token: string }[];
  if (!first) throw new Error('no token among the vectors');
  return first.token;
}

export interface Look {
  /** Turned, degrees. */
  turn: number;
  /** The far edge is so much shorter than the near one, 0 to 1. */
  tilt: number;
  /** Radius of the blur, px. */
  blur: number;
  /** Light, 0 to 1; noise grows as it falls. */
  light: number;
}

type Plane = Float64Array;

// From its file: without this it would ask a public server for it.
const wasmBinary = readFileSync(fileURLToPath(import.meta.resolve('zxing-wasm/writer/zxing_writer.wasm')));
prepareZXingModule({ overrides: { wasmBinary: wasmBinary.buffer } });

/** The code's squares, 255 for light. */
async function modules(text: string): Promise<{ size: number; at(x: number, y: number): number }> {
  const { symbol, error } = await writeBarcode(text, { format: 'QRCode', ecLevel: 'M' });
  if (error) throw new Error(error);
  const size = symbol.width;
  return {
    size,
    at: (x, y) => (x < 0 || y < 0 || x >= size || y >= size ? 255 : (symbol.data[y * size + x] ?? 255)),
  };
}

/** One picture: each of its points looks back to the sheet that the code is on. */
async function picture(text: string, { turn, tilt }: Look): Promise<Plane> {
  const code = await modules(text);
  const side = code.size + 2 * MARGIN;
  const plane = new Float64Array(WIDTH * HEIGHT);
  const [sin, cos] = [Math.sin((turn * Math.PI) / 180), Math.cos((turn * Math.PI) / 180)];
  for (let y = 0; y < HEIGHT; y += 1) {
    for (let x = 0; x < WIDTH; x += 1) {
      const [across, down] = [(x - WIDTH / 2) / SIDE, (y - HEIGHT / 2) / SIDE];
      const near = 1 + tilt * down;
      const [u, v] = [(across * cos + down * sin) / near, (down * cos - across * sin) / near];
      const [column, row] = [(u + 0.5) * side - MARGIN, (v + 0.5) * side - MARGIN];
      const onSheet = Math.abs(u) < 0.55 && Math.abs(v) < 0.55;
      plane[y * WIDTH + x] = onSheet ? code.at(Math.floor(column), Math.floor(row)) : 90;
    }
  }
  return plane;
}

function blurred(plane: Plane, radius: number): Plane {
  if (radius === 0) return plane;
  const along = (from: Plane, step: number): Plane => {
    const to = new Float64Array(from.length);
    for (let at = 0; at < from.length; at += 1) {
      let sum = 0;
      for (let near = -radius; near <= radius; near += 1) sum += from[at + near * step] ?? from[at] ?? 0;
      to[at] = sum / (2 * radius + 1);
    }
    return to;
  };
  return along(along(plane, 1), WIDTH);
}

/** The same grain each time: a test that fails has to fail again. */
function grain(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

export async function film(path: string, text: string, look: Look): Promise<void> {
  const plane = blurred(await picture(text, look), look.blur);
  const chroma = Buffer.alloc((WIDTH * HEIGHT) / 2, 128);
  const parts: Buffer[] = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420\n`)];
  for (let at = 0; at < PICTURES; at += 1) {
    const noise = grain(at + 1);
    const strength = 14 * (1 - look.light) + 2;
    // Video keeps black at 16 and white at 235.
    const luma = Buffer.from(
      plane.map(
        (value) => 16 + (219 / 255) * Math.min(255, Math.max(0, value * look.light + noise() * strength)),
      ),
    );
    parts.push(Buffer.from('FRAME\n'), luma, chroma);
  }
  writeFileSync(path, Buffer.concat(parts));
}
