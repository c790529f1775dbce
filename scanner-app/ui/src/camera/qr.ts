// Finds a QR code in a picture, by WebAssembly that is a file of this app: nothing is fetched from elsewhere.

import { prepareZXingModule, readBarcodes, type ReaderOptions } from 'zxing-wasm/reader';
import wasm from 'zxing-wasm/reader/zxing_reader.wasm?url';

const OPTIONS: ReaderOptions = {
  formats: ['QRCode'],
  maxNumberOfSymbols: 1,
  tryHarder: true,
  tryRotate: true,
  // Phones in dark mode show white on black.
  tryInvert: true,
  tryDownscale: true,
};

let ready: Promise<unknown> | null = null;

/** Loads the reader, once. */
export function prepare(): Promise<unknown> {
  ready ??= prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });
  return ready;
}

/** The code's text, or null: most pictures have none. */
export async function readQr(picture: ImageData): Promise<string | null> {
  await prepare();
  const [found] = await readBarcodes(picture, OPTIONS);
  return found?.isValid ? found.text : null;
}
