// The camera as an input. It runs on while verdicts stand on the screen, so that the next ticket needs no
// touch and the one that is still before the lens is not scanned twice.
//
// It reads in the window's own thread: a picture of 640 px takes some milliseconds, at most ten a second.

import { SameCode } from './same-code';

/** Loaded with the first start: most scanners have no camera. */
const reader = () => import('./qr');
type Reader = Awaited<ReturnType<typeof reader>>;

export type CameraProblem = 'refused' | 'none' | 'busy' | 'failed';
export type CameraState = 'off' | 'starting' | 'live' | CameraProblem;

const PICTURE_MS = 100;
/** Side of the square that is read, in px: a ticket's code has 53 modules, so some ten px each. */
const PICTURE_PX = 640;
/** The square's part of the shorter side: what the corners on the screen show. */
const REGION = 0.9;

/** What some tracks have and the standard's types lack (W3C Image Capture). */
interface ImageCapabilities extends MediaTrackCapabilities {
  torch?: boolean;
  focusMode?: string[];
}
type ImageConstraint = MediaTrackConstraintSet & { torch?: boolean; focusMode?: string };

function problemOf(error: unknown): CameraProblem {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'refused';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'none';
  if (name === 'NotReadableError' || name === 'AbortError') return 'busy';
  return 'failed';
}

export class Camera {
  state = $state<CameraState>('off');
  /** To be shown; null unless live. */
  stream = $state.raw<MediaStream | null>(null);
  hasTorch = $state(false);
  torch = $state(false);

  #onread: (text: string) => void;
  #video = document.createElement('video');
  #canvas = document.createElement('canvas');
  #same = new SameCode();
  /** Of the present start; a stop or a new start ends what began under an older one. */
  #run = 0;

  constructor(onread: (text: string) => void) {
    this.#onread = onread;
    this.#video.muted = true;
    this.#video.playsInline = true;
  }

  /** Runs until the returned function is called; a camera that comes later is taken. */
  start(): () => void {
    const devices = navigator.mediaDevices as MediaDevices | undefined;
    const again = (): void => {
      if (this.state !== 'live') void this.#open(++this.#run);
    };
    devices?.addEventListener('devicechange', again);
    void this.#open(++this.#run);
    return () => {
      devices?.removeEventListener('devicechange', again);
      this.#run += 1;
      this.#release('off');
    };
  }

  async setTorch(on: boolean): Promise<void> {
    try {
      await this.#apply({ torch: on });
      this.torch = on;
    } catch {
      this.hasTorch = false;
    }
  }

  async #open(run: number): Promise<void> {
    this.state = 'starting';
    try {
      const devices = navigator.mediaDevices as MediaDevices | undefined;
      if (!devices) throw new DOMException('no media devices', 'NotFoundError');
      const [stream, qr] = await Promise.all([
        devices.getUserMedia({
          audio: false,
          video: { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 720 } },
        }),
        reader().then(async (loaded) => {
          await loaded.prepare();
          return loaded;
        }),
      ]);
      if (run !== this.#run) {
        stream.getTracks().forEach((track) => track.stop());
        return;
      }
      await this.#use(stream, qr, run);
    } catch (error) {
      if (run === this.#run) this.#release(problemOf(error));
    }
  }

  async #use(stream: MediaStream, qr: Reader, run: number): Promise<void> {
    const track = stream.getVideoTracks()[0];
    if (!track) throw new DOMException('no video', 'NotFoundError');
    this.stream = stream;
    track.addEventListener('ended', () => {
      if (run === this.#run) this.#release('failed');
    });
    this.#video.srcObject = stream;
    await this.#video.play();
    if (run !== this.#run) return;
    const can: ImageCapabilities = track.getCapabilities?.() ?? {};
    this.hasTorch = can.torch === true;
    // Fixed focus is no fault: codes are read as far as they are sharp.
    if (can.focusMode?.includes('continuous')) await this.#apply({ focusMode: 'continuous' }).catch(() => {});
    this.state = 'live';
    void this.#read(qr, run);
  }

  async #apply(constraint: ImageConstraint): Promise<void> {
    await this.stream?.getVideoTracks()[0]?.applyConstraints({ advanced: [constraint] });
  }

  /** One picture after the other, until the run ends. */
  async #read(qr: Reader, run: number): Promise<void> {
    while (run === this.#run && this.state === 'live') {
      const began = performance.now();
      const picture = this.#picture();
      const text = picture ? await qr.readQr(picture) : null;
      if (run !== this.#run) return;
      if (text && this.#same.isNew(text, performance.now())) this.#onread(text);
      const left = PICTURE_MS - (performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, left)));
    }
  }

  #picture(): ImageData | null {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (width === 0 || height === 0) return null;
    const region = Math.round(Math.min(width, height) * REGION);
    const side = Math.min(region, PICTURE_PX);
    this.#canvas.width = side;
    this.#canvas.height = side;
    const context = this.#canvas.getContext('2d', { willReadFrequently: true });
    if (!context) return null;
    const [x, y] = [(width - region) / 2, (height - region) / 2];
    context.drawImage(this.#video, x, y, region, region, 0, 0, side, side);
    return context.getImageData(0, 0, side, side);
  }

  #release(state: CameraState): void {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.#video.srcObject = null;
    this.hasTorch = false;
    this.torch = false;
    this.state = state;
  }
}
