// The camera: opened, switched, its light; and frames of it, each as it is wanted.

/** @typedef {"insecure" | "noCamera" | "refused" | "busy"} Reason */

/** A camera that cannot be opened; the message is a key of words.js. */
export class CameraError extends Error {
  /** @param {Reason} reason */
  constructor(reason) {
    super(reason);
  }
}

// What a model sees is a small square: more than this only takes longer to read.
const WANTED = { width: { ideal: 960 }, height: { ideal: 720 }, aspectRatio: { ideal: 4 / 3 } };

export class Camera {
  /** @type {MediaStream | null} */
  stream = null;
  isRear = true;
  opened = 0; // how often: of two at the same time the later one stays

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
  }

  get isOpen() {
    return this.stream !== null;
  }

  /**
   * Opens the rear camera, or that of this id. Raises CameraError.
   * @param {MediaTrackConstraints} which
   */
  async open(which = { facingMode: { ideal: this.isRear ? "environment" : "user" } }) {
    if (!window.isSecureContext || !navigator.mediaDevices) throw new CameraError("insecure");
    this.close(); // many phones open one at a time
    const turn = this.opened;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { ...WANTED, ...which }, audio: false });
    } catch (error) {
      throw new CameraError(reasonOf(error));
    }
    if (turn !== this.opened) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    this.stream = stream;
    this.video.srcObject = this.stream;
    await this.video.play().catch(() => {}); // stopped by the next one, or in the background
  }

  close() {
    this.opened++; // one that is just being opened is not wanted any more
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  /** The other side of a phone; else the next camera that there is. Raises CameraError. */
  async switch() {
    const { facingMode, deviceId } = this.track?.getSettings() ?? {};
    if (facingMode === "environment" || facingMode === "user") {
      this.isRear = facingMode === "user";
      await this.open();
      return;
    }
    const cameras = await this.cameras();
    const next = cameras[(cameras.findIndex((each) => each.deviceId === deviceId) + 1) % cameras.length];
    if (next) await this.open({ deviceId: { exact: next.deviceId } });
  }

  /** All cameras of this device. */
  async cameras() {
    return (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  }

  get track() {
    return this.stream?.getVideoTracks()[0];
  }

  get hasTorch() {
    return Boolean(/** @type {any} */ (this.track?.getCapabilities?.())?.torch);
  }

  /** @param {boolean} on */
  async light(on) {
    await this.track?.applyConstraints({ advanced: [/** @type {any} */ ({ torch: on })] });
  }
}

/** @param {unknown} error @returns {Reason} */
function reasonOf(error) {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "refused";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "noCamera";
}

/**
 * Calls `see` with the newest frame whenever it has done with the one before and there is a newer one.
 *
 * What tells of a new frame only sets a flag: whoever waits for the next one instead gets half of them.
 * @param {HTMLVideoElement} video @param {(frame: ImageBitmap) => Promise<void>} see
 * @returns {() => void} to stop it
 */
export function watch(video, see) {
  let isNew = false;
  let isBusy = false;
  let isOver = false;
  const look = async () => {
    if (isBusy || isOver || !isNew || video.readyState < 2) return;
    isNew = false;
    isBusy = true;
    try {
      const frame = await createImageBitmap(video);
      if (isOver) frame.close();
      else await see(frame);
    } catch {
      // A frame that was gone, or a server that did not answer: the next one may be better, but not at once.
      await new Promise((done) => setTimeout(done, 250));
    } finally {
      isBusy = false;
    }
    void look();
  };
  const arrived = () => {
    isNew = true;
    void look();
    if (!isOver) video.requestVideoFrameCallback(arrived);
  };
  video.requestVideoFrameCallback(arrived);
  return () => {
    isOver = true;
  };
}
